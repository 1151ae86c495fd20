#include "installer_errors.hpp"

#include "podctl/base/names.hpp"

#include "build_failure.hpp"
#include "conflict.hpp"
#include "conflict_chain.hpp"
#include "specifier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <regex>

namespace podctl::python {

namespace {

// std::regex recurses for every character it matches.
constexpr std::size_t longest_searched = 4096;

constexpr const char* network_hint =
    "check the network, python.index_url and the proxy; the same command goes on where it stopped";

bool speaks_of_network(const Finished& finished) {
    return says(finished, {"Request failed after", "Failed to fetch", "error sending request",
                           "Failed to download", "Could not connect", "dns error",
                           "Retrying (Retry", "ConnectionError", "NewConnectionError",
                           "ReadTimeoutError", "Max retries exceeded",
                           "Temporary failure in name resolution", "Could not resolve host",
                           "HTTP error 5", "Could not fetch URL", "network was disabled"});
}

// What goes wrong with any call, whatever it was for.
std::optional<Error> common_error(const Finished& finished, const Settings& settings) {
    const std::string tail = tail_of(finished.words);
    if (says(finished, {"No space left on device", "os error 28"})) {
        return made(ErrorKind::io, "the disk is full: " + tail,
                    "free some space, or give the pod a larger disk");
    }
    if (says(finished,
             {"401 Unauthorized", "403 Forbidden", "401 Error, Credentials not correct"})) {
        return made(ErrorKind::unauthorized, "the package index refuses: " + tail,
                    "check the user and password of python.index_url");
    }
    if (settings.offline &&
        says(finished, {"network was disabled", "not found in the cache", "from versions: none"})) {
        return made(ErrorKind::network, "offline, and a package is not at hand: " + tail,
                    "run once without --offline, or put wheels into a folder of python.find_links");
    }
    return std::nullopt;
}

std::optional<Error> network_error(const Finished& finished) {
    if (!speaks_of_network(finished)) return std::nullopt;
    return network_error_of(finished);
}

// What a build fetches itself may be what it lacks.
Error failed_build_error(const Finished& finished, const Installer& installer,
                         const WhoAsks& who_asks) {
    const Error error = build_error(read_failed_build(finished.words, installer), who_asks);
    if (!speaks_of_network(finished)) return error;
    return made(ErrorKind::network, error.message(), network_hint);
}

// uv names a file and a position in bytes, pip a line.
const Requirement* place_in(const std::string& line, const ResolutionInput& input) {
    static const std::regex by_uv{R"(arse requirement in `([^`]+)` at position (\d+))"};
    static const std::regex by_pip{R"(\(from line (\d+) of ([^)]+)\))"};
    std::smatch match;
    if (std::regex_search(line, match, by_uv)) {
        const auto* lines = lines_of_file(match[1].str(), input);
        if (lines == nullptr) return nullptr;
        const auto before = file_of(*lines).substr(0, std::stoul(match[2]));
        const auto line_ends = std::count(before.begin(), before.end(), '\n');
        return line_of_file(match[1].str(), static_cast<std::size_t>(line_ends) + 1, input);
    }
    if (std::regex_search(line, match, by_pip)) {
        return line_of_file(match[2].str(), std::stoul(match[1]), input);
    }
    return nullptr;
}

const Requirement* unreadable_line(const Finished& finished, const ResolutionInput& input) {
    for (const std::string& line : split(finished.words, '\n')) {
        const Requirement* place = place_in(line.substr(0, longest_searched), input);
        if (place != nullptr) return place;
    }
    // pip 23 ends with a traceback for a marker that it cannot read, and quotes the marker alone.
    if (!says(finished, {"InvalidMarker", "Invalid marker"})) return nullptr;
    for (const Requirement* line : all_lines(input)) {
        const std::string_view marker = marker_of(line->text);
        if (!marker.empty() && says(finished, {marker})) return line;
    }
    return nullptr;
}

// What an installer says before its errors may name any address.
std::string errors_in(const Finished& finished) {
    std::string errors;
    for (const std::string& line : split(finished.words, '\n')) {
        for (const std::string_view mark :
             {"error", "ERROR", "cause:", "Caused by", "fatal:", "×", "├", "╰"}) {
            if (!trim(line).starts_with(mark)) continue;
            errors += line + "\n";
            break;
        }
    }
    return errors;
}

// The requirement by URL or path that the installer's errors speak of.
const Requirement* failed_address(const Finished& finished, const ResolutionInput& input) {
    const std::string errors = errors_in(finished);
    for (const Requirement* line : all_lines(input)) {
        const std::string address = bare_address(line->target());
        if (address.empty()) continue;
        // pip 23 tells host and path apart: "HTTPConnectionPool(host=…): … with url: /a.whl".
        const std::string path =
            "with url: " + address.substr(std::min(address.find('/'), address.size()));
        if (errors.find(address) != std::string::npos ||
            errors.find(path + " ") != std::string::npos)
            return line;
    }
    return nullptr;
}

std::optional<Error> git_error(const Finished& finished) {
    if (!tells_of_failed_git(finished.words)) return std::nullopt;
    return made(ErrorKind::git, "a requirement from git cannot be had: " + tail_of(finished.words),
                "check the URL and the revision of the requirement");
}

// What is asked for by its address (a URL, git+, a file) and cannot be had.
std::optional<Error> address_error(const Finished& finished, const ResolutionInput& input) {
    const bool by_git = tells_of_failed_git(finished.words);
    const bool missing = says(finished, {"HTTP error 4", "client error (4",
                                         "Distribution not found", "due to an OSError: [Errno 2]"});
    const bool no_answer =
        speaks_of_network(finished) ||
        says(finished, {"Failed to connect to", "Connection refused", "Connection timed out"});
    if (!by_git && !missing && !no_answer) return std::nullopt;
    const Requirement* line = failed_address(finished, input);
    if (line == nullptr) return std::nullopt;
    const bool cut_off =
        says(finished, {"Failed to connect to", "Could not resolve host"}) || (!by_git && !missing);
    const ErrorKind kind = cut_off  ? ErrorKind::network
                           : by_git ? ErrorKind::git
                                    : ErrorKind::not_found;
    return made(kind,
                fmt::format("{}: this cannot be had: {}", describe(*line), tail_of(finished.words)),
                cut_off ? "check the network and the proxy, or set a mirror for this address"
                        : "check the address and the revision of the requirement");
}

}  // namespace

Error network_error_of(const Finished& finished) {
    return made(ErrorKind::network,
                "the package index cannot be reached: " + tail_of(finished.words), network_hint);
}

const Requirement* index_away(const Finished& finished, const ResolutionInput& input) {
    const bool is_of_index = speaks_of_network(finished) && !tells_a_failed_build(finished.words) &&
                             failed_address(finished, input) == nullptr;
    if (!is_of_index) return nullptr;
    const std::string errors = errors_in(finished);
    for (const Requirement& option : input.options) {
        constexpr std::string_view extra = "--extra-index-url ";
        if (!option.for_installer.starts_with(extra)) continue;
        const auto address = bare_address(trim(option.for_installer.substr(extra.size())));
        if (!address.empty() && errors.find(address) != std::string::npos) return &option;
    }
    return nullptr;
}

void fail_resolution(const Finished& finished, const ResolutionInput& input,
                     const Installer& installer, const Settings& settings) {
    if (const Requirement* line = unreadable_line(finished, input)) {
        throw made(ErrorKind::python,
                   fmt::format("{}: the installer cannot read this line", describe(*line)),
                   "correct the line; a requirement looks like name>=1.0");
    }
    if (auto error = common_error(finished, settings)) throw *error;
    // Before what else may stand there: a build has a resolution of its own.
    if (tells_a_failed_build(finished.words))
        throw failed_build_error(finished, installer, by_input(input));
    const bool is_unknown = says(finished, {"was not found in the package registry",
                                            "was not found in the provided package locations"});
    if (is_unknown) throw unknown_package(finished, input);
    if (says(finished, {"No solution found when resolving", "ResolutionImpossible",
                        "Requirements contain conflicting"})) {
        fail_as_conflict(finished, input, installer);
    }
    if (auto error = address_error(finished, input)) throw *error;
    if (auto error = git_error(finished)) throw *error;
    if (auto error = network_error(finished)) throw *error;
    const bool no_python =
        says(finished, {"require a different python version", "requires a different Python"});
    if (!no_python && says(finished, {"from versions: none"}))
        throw unknown_package(finished, input);
    if (no_python || says(finished, {"No matching distribution found"}))
        fail_as_conflict(finished, input, installer);
    throw install_error(finished, installer, settings, by_input(input));
}

Error install_error(const Finished& finished, const Installer& installer, const Settings& settings,
                    const WhoAsks& who_asks) {
    if (auto error = common_error(finished, settings)) return *error;
    if (says(finished, {"Hash mismatch", "DO NOT MATCH THE HASHES"})) {
        return made(ErrorKind::integrity,
                    "a package is not the one that was promised: " + tail_of(finished.words),
                    "correct the --hash of the requirement, or look at who serves the index");
    }
    if (tells_a_failed_build(finished.words))
        return failed_build_error(finished, installer, who_asks);
    if (auto error = git_error(finished)) return *error;
    if (says(finished, {"Failed to build", "subprocess-exited-with-error"}))
        return failed_build_error(finished, installer, who_asks);
    if (auto error = network_error(finished)) return *error;
    return made(
        ErrorKind::python,
        fmt::format("{} failed ({}): {}", installer.kind == InstallerKind::uv ? "uv" : "pip",
                    finished.status.describe(), tail_of(finished.words)),
        "the words of the installer say why; `podctl doctor` checks the interpreter and the index");
}

}  // namespace podctl::python

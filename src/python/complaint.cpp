#include "complaint.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/redact.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <regex>

namespace podctl::python {

namespace {

// std::regex recurses for every character it matches.
constexpr std::size_t longest_line = 4096;

// Only names and places are taken from the installer's words: their form changes with every
// release.
bool says(const Finished& finished, std::initializer_list<std::string_view> phrases) {
    return std::any_of(phrases.begin(), phrases.end(), [&](std::string_view phrase) {
        return finished.words.find(phrase) != std::string::npos;
    });
}

Error made(ErrorKind kind, const std::string& message, const std::string& hint) {
    const Redactor redact;  // an index address or a requirement's URL may hold a password
    return Error{kind, redact(message), redact(hint)};
}

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
    return made(ErrorKind::network,
                "the package index cannot be reached: " + tail_of(finished.words),
                "check the network, python.index_url and the proxy; the same command goes on where "
                "it stopped");
}

std::optional<Error> build_error(const Finished& finished) {
    if (!says(finished,
              {"Failed to build", "metadata-generation-failed", "subprocess-exited-with-error",
               "Failed building wheel", "build backend returned an error"})) {
        return std::nullopt;
    }
    const bool no_compiler =
        says(finished, {"'g++'", "'gcc'", "'cc'", "command 'x86_64-linux-gnu-g", "Python.h"});
    return made(ErrorKind::python,
                "a package that comes as source cannot be built: " + tail_of(finished.words, 20),
                no_compiler
                    ? "it wants a compiler: add build-essential and python3-dev to system_packages"
                    : "ask for a version of it that has a wheel for this Python");
}

const Requirement* line_at(const std::vector<Requirement>& lines, std::size_t number) {
    return number < lines.size() ? &lines[number] : nullptr;
}

const std::vector<Requirement>* lines_of(const std::string& file, const Demand& demand) {
    if (file.ends_with("constraints.txt")) return &demand.constraints;
    if (file.ends_with("overrides.txt")) return &demand.overrides;
    if (file.ends_with("requirements.txt")) return &demand.requirements;
    return nullptr;
}

std::vector<const Requirement*> all_lines(const Demand& demand) {
    std::vector<const Requirement*> all;
    for (const auto* lines : {&demand.requirements, &demand.constraints, &demand.overrides}) {
        for (const Requirement& line : *lines)
            all.push_back(&line);
    }
    return all;
}

// uv names a file and a position in bytes, pip a line.
const Requirement* place_in(const std::string& line, const Demand& demand) {
    static const std::regex by_uv{R"(arse requirement in `([^`]+)` at position (\d+))"};
    static const std::regex by_pip{R"(\(from line (\d+) of ([^)]+)\))"};
    std::smatch match;
    if (std::regex_search(line, match, by_uv)) {
        const auto* lines = lines_of(match[1], demand);
        if (lines == nullptr) return nullptr;
        const auto before = file_of(*lines).substr(0, std::stoul(match[2]));
        return line_at(*lines,
                       static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')));
    }
    if (std::regex_search(line, match, by_pip)) {
        const auto* lines = lines_of(match[2], demand);
        return lines == nullptr ? nullptr : line_at(*lines, std::stoul(match[1]) - 1);
    }
    return nullptr;
}

const Requirement* unreadable_line(const Finished& finished, const Demand& demand) {
    for (const std::string& line : split(finished.words, '\n')) {
        const Requirement* place = place_in(line.substr(0, longest_line), demand);
        if (place != nullptr) return place;
    }
    // pip 23 ends with a traceback for a marker that it cannot read, and quotes the marker alone.
    if (!says(finished, {"InvalidMarker", "Invalid marker"})) return nullptr;
    for (const Requirement* line : all_lines(demand)) {
        const std::string_view marker = marker_of(line->text);
        if (!marker.empty() && says(finished, {marker})) return line;
    }
    return nullptr;
}

// Where the installer gives its reasons.
std::vector<std::string> reasons(const Finished& finished) {
    std::vector<std::string> lines;
    bool inside = false;
    for (const std::string& line : split(finished.words, '\n')) {
        const bool starts = line.find("cause:") != std::string::npos ||
                            line.find("╰─▶") != std::string::npos ||
                            line.find("Cannot install") != std::string::npos ||
                            line.find("The conflict is caused by") != std::string::npos ||
                            line.find("Could not find a version") != std::string::npos ||
                            line.find("No matching distribution") != std::string::npos;
        if (trim(line).empty()) inside = false;
        if (starts) inside = true;
        if (inside) lines.push_back(line.substr(0, longest_line));
    }
    return lines;
}

// The packages that the reasons name and that somebody asks for, in their order.
std::vector<std::string> named_packages(const std::vector<std::string>& lines,
                                        const Demand& demand) {
    static const std::regex name{
        R"((?:\b(?:require|requires|of|[Bb]ecause|on|and|only|requested|install|requirement|for)|\(constraint\))\s+([A-Za-z0-9][A-Za-z0-9._-]*))"
        R"(|([A-Za-z0-9][A-Za-z0-9._-]*)(?=\[|[<>=!~]|\s+\d\S*\s+depends))"};
    const auto all = all_lines(demand);
    std::vector<std::string> names;
    for (const std::string& line : lines) {
        for (std::sregex_iterator at{line.begin(), line.end(), name}, end; at != end; ++at) {
            const std::string found =
                normalise_name((*at)[1].matched ? (*at)[1].str() : (*at)[2].str());
            const bool asked = std::any_of(all.begin(), all.end(), [&](const Requirement* asks) {
                return asks->name == found;
            });
            if (asked && std::find(names.begin(), names.end(), found) == names.end())
                names.push_back(found);
        }
    }
    return names;
}

std::string describe(const Requirement& line) {
    const bool label_says_more = !line.file.empty() && !line.label.empty();
    return fmt::format("{}: {}{}", line.where(), line.text,
                       label_says_more ? " (" + line.label + ")" : "");
}

struct Askers {
    std::string text;     // a line each, indented
    bool held = false;    // one of them is a package that must stay
    std::string example;  // a requirement that an override could be
    std::size_t count = 0;
};

Askers askers_of(const std::vector<std::string>& names, const Demand& demand) {
    Askers askers;
    for (const std::string& name : names) {
        for (const Requirement* line : all_lines(demand)) {
            if (line->name != name) continue;
            askers.text += "\n  " + describe(*line);
            askers.held = askers.held || (line->file.empty() && demand.held.contains(name) &&
                                          line->kind == Requirement::Kind::constraint);
            if (line->kind == Requirement::Kind::requirement && !demand.held.contains(name)) {
                askers.example = line->text;
            }
            ++askers.count;
        }
    }
    return askers;
}

Error conflict_error(const Finished& finished, const Demand& demand, const Installer& installer) {
    const auto why = reasons(finished);
    const auto names = named_packages(why, demand);
    const Askers askers = askers_of(names, demand);
    std::string message =
        fmt::format("requirements exclude each other: {}{}", fmt::join(names, ", "), askers.text);
    // With one package its lines say it all; with several the chain between them is wanted.
    if (names.size() != 1 || askers.count < 2) {
        message += fmt::format("\n  the installer says:\n{}", fmt::join(why, "\n"));
    }
    std::string hint =
        "give one of them an environment of its own (a service with `requirements`), or say what "
        "holds for all in python.overrides";
    if (!askers.example.empty()) hint += fmt::format(", as in overrides: [\"{}\"]", askers.example);
    if (askers.held) hint += "; what the image brings stays unless python.inherit is false";
    if (installer.kind == InstallerKind::pip) {
        hint += "; pip overrides lines of files only, uv also what packages ask of each other";
    }
    return made(ErrorKind::conflict, message, hint);
}

Error unknown_package_error(const Finished& finished, const Demand& demand) {
    const auto why = reasons(finished);
    const Askers askers = askers_of(named_packages(why, demand), demand);
    return made(ErrorKind::python,
                fmt::format("the package index does not have what is asked for:{}\n{}", askers.text,
                            fmt::join(why, "\n")),
                "check the spelling, or add the index that has it to python.extra_index_urls");
}

}  // namespace

Error resolution_error(const Finished& finished, const Demand& demand, const Installer& installer,
                       const Settings& settings) {
    if (const Requirement* line = unreadable_line(finished, demand)) {
        return made(ErrorKind::python,
                    fmt::format("{}: the installer cannot read this line", describe(*line)),
                    "correct the line; a requirement looks like name>=1.0");
    }
    if (auto error = common_error(finished, settings)) return *error;
    const bool is_unknown = says(finished, {"was not found in the package registry",
                                            "was not found in the provided package locations"});
    if (is_unknown) return unknown_package_error(finished, demand);
    if (says(finished, {"are unsatisfiable", "ResolutionImpossible"})) {
        return conflict_error(finished, demand, installer);
    }
    if (auto error = network_error(finished)) return *error;
    if (says(finished, {"from versions: none"})) return unknown_package_error(finished, demand);
    if (says(finished, {"No matching distribution found"}))
        return conflict_error(finished, demand, installer);
    return install_error(finished, installer, settings);
}

Error install_error(const Finished& finished, const Installer& installer,
                    const Settings& settings) {
    if (auto error = common_error(finished, settings)) return *error;
    if (says(finished, {"Hash mismatch", "DO NOT MATCH THE HASHES"})) {
        return made(ErrorKind::integrity,
                    "a package is not the one that was promised: " + tail_of(finished.words),
                    "correct the --hash of the requirement, or look at who serves the index");
    }
    if (auto error = build_error(finished)) return *error;
    if (says(finished, {"Git operation failed", "git clone", "failed to clone"})) {
        return made(ErrorKind::git,
                    "a requirement from git cannot be had: " + tail_of(finished.words),
                    "check the URL and the revision of the requirement");
    }
    if (auto error = network_error(finished)) return *error;
    return made(
        ErrorKind::python,
        fmt::format("{} failed ({}): {}", installer.kind == InstallerKind::uv ? "uv" : "pip",
                    finished.status.describe(), tail_of(finished.words)),
        "the words of the installer say why; `podctl doctor` checks the interpreter and the index");
}

}  // namespace podctl::python

#include "build_failure.hpp"

#include "podctl/base/names.hpp"

#include "conflict.hpp"
#include "conflict_chain.hpp"
#include "installer_command.hpp"
#include "specifier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

namespace podctl::python {

namespace {

constexpr std::size_t shown_lines = 20;

bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// What stands between the first `before` and the next `after`; empty: not there.
std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
    const auto begin = text.find(before);
    if (begin == std::string_view::npos) return {};
    text.remove_prefix(begin + before.size());
    return text.substr(0, text.find(after));
}

// pip's "× git clone … did not run successfully." Without the × where the locale has none.
bool is_failed_step(std::string_view line) {
    return has(line, "did not run successfully");
}

bool is_git(std::string_view line) {
    line = trim(line);
    line.remove_prefix(std::min(line.find(' '), line.size()));
    return trim(line).starts_with("git ");
}

// uv ends with what it would do itself, of which its "because" alone is of use here.
FailedBuild read_uv(std::string_view words) {
    FailedBuild failed;
    for (const std::string_view before : {"Failed to build `", "Failed to download and build `"}) {
        if (failed.package.empty()) failed.package = between(words, before, "`");
    }
    bool advises = false;
    for (const std::string& line : split(words, '\n')) {
        const auto text = trim(line);
        if (has(text, "was included because")) failed.trail = text;
        advises = advises || text.starts_with("hint:") || text.starts_with("help:");
        if (!advises) failed.words += line + "\n";
    }
    return failed;
}

// "docopt==0.6.2" of "/w/docopt-0.6.2.tar.gz": pip names a package of a local index by
// its file alone.
std::optional<std::string> pin_of_sdist(std::string_view path) {
    for (const std::string_view ending : {".tar.gz", ".zip"}) {
        if (!path.ends_with(ending)) continue;
        path.remove_suffix(ending.size());
        path.remove_prefix(path.rfind('/') + 1);  // npos + 1 is 0
        const auto dash = path.rfind('-');
        if (dash == std::string_view::npos) return std::string{path};
        return fmt::format("{}=={}", path.substr(0, dash), path.substr(dash + 1));
    }
    return std::nullopt;
}

// "Collecting gradio>=3 (from …)", "Processing /w/docopt-0.6.2.tar.gz", at the start of a line:
// what a build's own pip says stands behind blanks.
std::string subject_of_line(std::string_view line) {
    for (const std::string_view beginning : {"Collecting ", "Processing ", "Obtaining "}) {
        if (!line.starts_with(beginning)) continue;
        line.remove_prefix(beginning.size());
        line = trim(line.substr(0, line.find(" (from ")));
        return pin_of_sdist(line).value_or(std::string{line});
    }
    return {};
}

// pip goes on with other wheels when one has failed, and names a package only then; before that it
// stops at the one that it took up last.
FailedBuild read_pip(std::string_view words) {
    constexpr std::string_view at_wheel = "Failed building wheel for ";
    FailedBuild failed{
        .package = std::string{trim(between(words, at_wheel, "\n"))}, .trail = {}, .words = {}};
    const bool by_wheel = !failed.package.empty();
    if (by_wheel) words = words.substr(0, words.find(at_wheel));
    for (const std::string& line : split(words, '\n')) {
        const auto subject = subject_of_line(line);
        if (subject.empty()) continue;
        if (by_wheel && parse_specifier(subject).name != normalise_name(failed.package)) continue;
        failed.trail = line;
        if (!by_wheel) failed.package = subject;
    }
    constexpr std::string_view end_of_output = "[end of output]";
    failed.words = words.substr(0, words.rfind(end_of_output));
    return failed;
}

std::string name_of(const FailedBuild& failed) {
    return parse_specifier(failed.package).name;
}

std::vector<std::string> described(const std::vector<const Requirement*>& lines) {
    std::vector<std::string> texts;
    for (const Requirement* line : lines)
        texts.push_back(describe(*line));
    return texts;
}

// By its address, where a line gives no name.
std::vector<const Requirement*> askers_by_address(const FailedBuild& failed,
                                                  const ResolutionInput& input) {
    std::vector<const Requirement*> lines;
    for (const Requirement& line : input.requirements) {
        const std::string address = bare_address(line.target());
        if (!address.empty() && has(failed.package, address)) lines.push_back(&line);
    }
    return lines;
}

// The first package of uv's "`docopt` (v0.6.2) was included because `num2words` (v0.5.12) depends
// on …" that a line asks for, behind the one that failed.
std::vector<const Requirement*> askers_by_trail(const FailedBuild& failed,
                                                const ResolutionInput& input) {
    const auto words = split(failed.trail, '`');
    for (std::size_t at = 3; at < words.size(); at += 2) {
        const auto lines = askers_of(parse_specifier(words[at]).name, input);
        if (!lines.empty()) return lines;
    }
    return {};
}

// Of a pin: "num2words, for requirements.txt:3".
std::string chain_of(const std::string& asker, const Lock& lock, std::set<std::string>& seen) {
    if (!seen.insert(asker).second) return asker;
    for (const Pin& pin : lock.pins) {
        if (parse_specifier(pin.requirement).name != normalise_name(asker) || pin.asked_by.empty())
            continue;
        return asker + ", for " + chain_of(pin.asked_by.front(), lock, seen);
    }
    return asker;
}

std::string hint_for(std::string_view words) {
    for (const std::string_view mark :
         {"'g++'", "'gcc'", "'cc'", "command 'x86_64-linux-gnu-g", "Python.h"}) {
        if (has(words, mark))
            return "it wants a compiler: add build-essential and python3-dev to system_packages";
    }
    const auto module = between(words, "No module named '", "'");
    if (module == "pkg_resources") {
        return "its build wants pkg_resources, which setuptools has no more: name a file with "
               "setuptools<82 in pod: {env: {UV_BUILD_CONSTRAINT: FILE}}, for pip in "
               "PIP_BUILD_CONSTRAINT (PIP_CONSTRAINT before 25.3)";
    }
    if (!module.empty()) {
        return fmt::format(
            "its build imports {} and does not ask for it: take a version that does or that has a "
            "wheel, or let uv's builds see the image's packages: pod: {{env: "
            "{{UV_NO_BUILD_ISOLATION: \"1\"}}}}",
            module);
    }
    return "ask for a version of it that has a wheel for this Python";
}

}  // namespace

bool tells_a_failed_build(std::string_view words) {
    for (const std::string_view mark :
         {"The build backend returned an error", "Failed to resolve requirements from",
          "Failed to install requirements from", "metadata-generation-failed", "BackendUnavailable",
          "Failed building wheel for "}) {
        if (has(words, mark)) return true;
    }
    const auto lines = split(words, '\n');
    return std::ranges::any_of(
        lines, [](const std::string& line) { return is_failed_step(line) && !is_git(line); });
}

bool tells_of_failed_git(std::string_view words) {
    if (has(words, "Git operation failed") || has(words, "failed to clone")) return true;
    const auto lines = split(words, '\n');
    return std::ranges::any_of(
        lines, [](const std::string& line) { return is_failed_step(line) && is_git(line); });
}

FailedBuild read_failed_build(std::string_view words, const Installer& installer) {
    switch (installer.kind) {
        case InstallerKind::uv:
            return read_uv(words);
        case InstallerKind::pip:
            return read_pip(words);
    }
    return {};
}

WhoAsks by_input(const ResolutionInput& input) {
    return [&input](const FailedBuild& failed) -> std::vector<std::string> {
        const Requirement* line = line_in(failed.trail, input);
        if (line != nullptr) return {describe(*line)};
        for (const auto& lines :
             {askers_of(name_of(failed), input), askers_by_address(failed, input),
              askers_by_trail(failed, input)}) {
            if (!lines.empty()) return described(lines);
        }
        return {};
    };
}

WhoAsks by_lock(const Lock& lock) {
    return [&lock](const FailedBuild& failed) {
        std::vector<std::string> chains;
        for (const Pin& pin : lock.pins) {
            if (parse_specifier(pin.requirement).name != name_of(failed)) continue;
            for (const std::string& asker : pin.asked_by) {
                std::set<std::string> seen{pin.requirement};
                chains.push_back("for " + chain_of(asker, lock, seen));
            }
        }
        return chains;
    };
}

Error build_error(const FailedBuild& failed, const WhoAsks& who_asks) {
    std::string message = failed.package.empty() ? "a package that" : failed.package;
    message += " comes as source and cannot be built";
    for (const std::string& asker : who_asks ? who_asks(failed) : std::vector<std::string>{})
        message += "\n  " + asker;
    return made(ErrorKind::python, message + "\n" + tail_of(failed.words, shown_lines),
                hint_for(failed.words));
}

}  // namespace podctl::python

#include "conflict.hpp"

#include "podctl/base/names.hpp"
#include "podctl/event/redact.hpp"

#include "conflict_chain.hpp"
#include "marker.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace podctl::python {

namespace {

using Kind = Requirement::Kind;

bool holds_name(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<const Requirement*> askers_of(const std::vector<std::string>& names,
                                          const ResolutionInput& input) {
    std::vector<const Requirement*> askers;
    for (const std::string& name : names) {
        const auto more = askers_of(name, input);
        askers.insert(askers.end(), more.begin(), more.end());
    }
    return askers;
}

std::string list_of(const std::vector<const Requirement*>& lines) {
    std::string text;
    for (const Requirement* line : lines)
        text += "\n  " + describe(*line);
    return text;
}

bool is_held(const Requirement& line, const ResolutionInput& input) {
    return line.kind == Kind::constraint && line.file.empty() && line.line == 0 &&
           input.held.contains(line.name);
}

// The package that the parties disagree on: the one that others depend on or that several ask for,
// rather than one that only leads there. nullptr: none of them is asked for by a line.
std::string disputed(const Reasons& reasons, const ResolutionInput& input) {
    std::string several;
    for (const std::string& name : reasons.packages) {
        if (holds_name(reasons.depended_on, name)) return name;
        if (several.empty() && askers_of(name, input).size() > 1) several = name;
    }
    return several;
}

// Whether the interpreter is a party too: some version asks for another.
bool speaks_of_python(const Reasons& reasons) {
    return reasons.text.find("ython version") != std::string::npos ||
           reasons.text.find("requires a different Python") != std::string::npos;
}

// What python.overrides could say: what the image has, or what the first source asks, which is
// ComfyUI where there is one.
std::string override_for(const std::string& name, const ResolutionInput& input) {
    const auto askers = askers_of(name, input);
    const auto held = std::find_if(askers.begin(), askers.end(),
                                   [&](const Requirement* line) { return is_held(*line, input); });
    const auto first = std::find_if(askers.begin(), askers.end(), [](const Requirement* line) {
        return !line->name.empty() && line->text.find(" @ ") == std::string::npos;
    });
    const auto chosen = held != askers.end() ? held : first;
    if (chosen == askers.end()) return {};
    const std::string& text = (*chosen)->text;
    return std::string{trim(std::string_view{text}.substr(0, text.find(';')))};
}

std::string in_yaml(const std::string& text) {
    return text.find('"') == std::string::npos ? '"' + text + '"' : "'" + text + "'";
}

// The template's line with the overrides that hold already and one more.
std::string overrides_line(const std::string& more, const ResolutionInput& input,
                           const std::string& installer) {
    std::vector<std::string> all;
    for (const Requirement& line : input.overrides)
        all.push_back(in_yaml(line.text));
    all.push_back(in_yaml(more));
    return fmt::format("python: {{{}overrides: [{}]}}", installer, fmt::join(all, ", "));
}

std::string ways_out(const Reasons& reasons, const ResolutionInput& input,
                     const Installer& installer) {
    const std::string name = disputed(reasons, input);
    const auto askers = askers_of(reasons.packages, input);
    const bool held = std::any_of(askers.begin(), askers.end(),
                                  [&](const Requirement* line) { return is_held(*line, input); });
    std::string ways = "ways out:";
    const std::string override = name.empty() ? "" : override_for(name, input);
    // pip overrides lines of files only, uv also what packages ask of each other.
    const bool wants_uv =
        installer.kind == InstallerKind::pip && holds_name(reasons.depended_on, name);
    if (!override.empty()) {
        ways += fmt::format("\n    - let one requirement hold for all: {}",
                            overrides_line(override, input, wants_uv ? "installer: uv, " : ""));
    } else {
        ways += "\n    - say in python.overrides which requirement holds for all";
    }
    if (held) ways += "\n    - do without what the image brings: python: {inherit: false}";
    if (speaks_of_python(reasons)) ways += "\n    - name a Python that fits in python.interpreter";
    return ways;
}

std::string title_of(const Reasons& reasons, const ResolutionInput& input) {
    const bool by_python = reasons.packages.size() == 1 && speaks_of_python(reasons) &&
                           askers_of(reasons.packages, input).size() == 1;
    return fmt::format(
        "{}: {}", by_python ? "no version fits this Python" : "requirements exclude each other",
        fmt::join(reasons.packages, ", "));
}

std::vector<RequirementLine> as_lines(const std::vector<const Requirement*>& askers) {
    std::vector<RequirementLine> lines;
    for (const Requirement* asks : askers) {
        lines.push_back({.file = asks->file,
                         .line = asks->line,
                         .name = asks->name,
                         .text = asks->text,
                         .constraint = asks->kind == Kind::constraint});
    }
    return lines;
}

// Whether the line says which version: one that does not can exclude nothing.
bool restricts(const Requirement& line) {
    const auto text = std::string_view{line.text}.substr(0, line.text.find(';'));
    return text.find_first_of("<>=!~@/") != std::string_view::npos;
}

// Whether it is the index alone that lacks what a line asks for.
bool is_only_missing(const Reasons& reasons, const std::vector<const Requirement*>& askers) {
    if (reasons.packages.size() != 1 || speaks_of_python(reasons)) return false;
    if (std::count_if(askers.begin(), askers.end(),
                      [](const Requirement* line) { return restricts(*line); }) > 1)
        return false;
    return !reasons.has_chain || reasons.text.find("there is no version of") != std::string::npos ||
           reasons.text.find("No matching distribution found") != std::string::npos;
}

}  // namespace

bool says(const Finished& finished, std::initializer_list<std::string_view> phrases) {
    return std::any_of(phrases.begin(), phrases.end(), [&](std::string_view phrase) {
        return finished.words.find(phrase) != std::string::npos;
    });
}

Error made(ErrorKind kind, const std::string& message, const std::string& hint) {
    const Redactor redact;
    return Error{kind, redact(message), redact(hint)};
}

std::string describe(const Requirement& line) {
    const bool label_says_more = !line.file.empty() && !line.label.empty();
    return fmt::format("{}: {}{}", line.where(), line.text,
                       label_says_more ? " (" + line.label + ")" : "");
}

std::vector<const Requirement*> askers_of(const std::string& name, const ResolutionInput& input) {
    std::vector<const Requirement*> askers;
    for (const Requirement* line : all_lines(input)) {
        if (line->probable_name() == name && marker_may_hold(marker_of(line->text)))
            askers.push_back(line);
    }
    return askers;
}

namespace {

constexpr const char* ask_all_indexes =
    "a further index may have a version that fits: `python: {index_strategy: unsafe-best-match}` "
    "asks all of them for every package, as pip does";

// uv takes a package from the first index that has any version of it, and names the way out.
bool may_be_elsewhere(const Finished& finished) {
    return finished.words.find("--index-strategy") != std::string::npos;
}

}  // namespace

void fail_as_conflict(const Finished& finished, const ResolutionInput& input,
                      const Installer& installer) {
    const Reasons reasons = read_reasons(finished.words, input);
    const auto askers = askers_of(reasons.packages, input);
    if (is_only_missing(reasons, askers)) throw unknown_package(finished, input);
    std::string message = title_of(reasons, input) + list_of(askers);
    // Lines that ask for the same package say it all; else the chain between them is wanted.
    const bool by_lines_alone =
        reasons.packages.size() == 1 && askers.size() > 1 && !reasons.has_chain;
    if (!by_lines_alone) {
        message += fmt::format("\n  {} says:\n{}",
                               installer.kind == InstallerKind::uv ? "uv" : "pip", reasons.text);
    }
    if (may_be_elsewhere(finished)) message += std::string{"\n  "} + ask_all_indexes;
    const Redactor redact;
    throw Conflict{redact(message), redact(ways_out(reasons, input, installer)), as_lines(askers)};
}

Error unknown_package(const Finished& finished, const ResolutionInput& input) {
    const Reasons reasons = read_reasons(finished.words, input);
    return made(ErrorKind::python,
                fmt::format("the package index does not have what is asked for:{}\n{}",
                            list_of(askers_of(reasons.packages, input)), reasons.text),
                may_be_elsewhere(finished) ? ask_all_indexes
                                           : "check the spelling, or add the index that has it to "
                                             "python.extra_index_urls");
}

}  // namespace podctl::python

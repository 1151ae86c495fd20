#include "resolution_input.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/text.hpp"
#include "podctl/base/url.hpp"

#include "marker.hpp"
#include "specifier.hpp"
#include "wheel_tags.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <regex>

namespace podctl::python {

namespace {

using Kind = Requirement::Kind;

void sort_in(std::vector<Requirement> lines, ResolutionInput& input) {
    for (Requirement& line : lines) {
        switch (line.kind) {
            case Kind::requirement:
                input.requirements.push_back(std::move(line));
                break;
            case Kind::constraint:
                input.constraints.push_back(std::move(line));
                break;
            case Kind::option: {
                const auto same = [&](const Requirement& it) {
                    return it.for_installer == line.for_installer;
                };
                if (std::ranges::none_of(input.options, same))
                    input.options.push_back(std::move(line));
                break;
            }
            case Kind::ignored_option:
                input.ignored.push_back(
                    fmt::format("{}: {} is left out: it would hold for every package", line.where(),
                                line.text));
                break;
        }
    }
}

std::vector<Requirement> as_constraints(std::vector<Requirement> lines) {
    for (Requirement& line : lines) {
        if (line.kind == Kind::requirement) line.kind = Kind::constraint;
    }
    return lines;
}

void hold(const ResolveRequest& request, const Interpreter& base, ResolutionInput& input) {
    for (const std::string& wanted : request.hold) {
        const std::string name = normalise_name(wanted);
        for (const Package& package : request.inherited) {
            if (package.name != name) continue;
            input.held.insert(name);
            if (!is_version(package.version)) continue;  // uv would refuse the whole file
            const std::string pin = package.name + "==" + package.version;
            input.constraints.push_back(
                {.kind = Kind::constraint,
                 .label = fmt::format("kept as {} has it", base.path.string()),
                 .name = name,
                 .text = pin,
                 .for_installer = pin});
        }
    }
}

// Found out only when it is to be installed, it would be told without its line.
void refuse_foreign_wheels(const ResolutionInput& input, const Interpreter& base) {
    for (const Requirement& line : input.requirements) {
        const auto is_for = foreign_wheel(line.target(), base.version);
        const bool is_overridden = std::ranges::any_of(
            input.overrides, [&](const Requirement& it) { return it.name == line.name; });
        if (!is_for || is_overridden || input.excluded.contains(line.name) ||
            !marker_may_hold(marker_of(line.text), base.version))
            continue;
        throw Error{ErrorKind::python,
                    fmt::format("{}: this wheel is for another machine ({}), and here is Python {} "
                                "on Linux: {}",
                                line.where(), *is_for, base.version, line.text),
                    "name a wheel for this one, or pass over the line: custom_nodes: [{…, "
                    "ignore_requirements: [NAME]}]"};
    }
}

std::string comparable(std::string_view version) {
    std::string out;
    for (std::size_t at = 0; at < version.size(); ++at) {
        const char c = version[at];
        const bool starts_number = out.empty() || !is_digit(out.back());
        const bool goes_on = at + 1 < version.size() && is_digit(version[at + 1]);
        if (c == '0' && starts_number && goes_on) continue;
        out.push_back(c == '-' || c == '_' ? '.' : c);
    }
    return to_lower(out);
}

std::vector<std::string> given_hashes(const Pin& pin, const std::string& name,
                                      const ResolutionInput& input) {
    std::set<std::string> hashes;
    for (const Requirement& asked : input.requirements) {
        const bool same = asked.name == name &&
                          same_version(pinned_version(asked.text), pinned_version(pin.requirement));
        if (same) hashes.insert(asked.hashes.begin(), asked.hashes.end());
    }
    return {hashes.begin(), hashes.end()};
}

}  // namespace

ResolutionInput read_resolution_input(const ResolveRequest& request, const Interpreter& base,
                                      const std::vector<std::string>& constraint_files) {
    ResolutionInput input{.inherited = request.inherited};
    for (const RequirementSource& source : request.requirements)
        sort_in(read_source(source), input);
    sort_in(read_lines(request.constraints, "python.constraints", Kind::constraint), input);
    for (const std::string& file : constraint_files) {
        if (file.find("://") != std::string::npos) continue;
        if (!file_stamp(file))
            throw Error{ErrorKind::python,
                        fmt::format("{}: pip is configured with this file of constraints "
                                    "(PIP_CONSTRAINT, or `constraint` in pip.conf), and it is not "
                                    "there",
                                    file),
                        "bring the file, or take it out of pip's configuration"};
        sort_in(as_constraints(read_source({.file = file, .label = "pip's configuration"})), input);
    }
    for (const std::string& name : request.exclude)
        input.excluded.insert(normalise_name(name));
    for (Requirement& line : read_lines(request.overrides, "python.overrides", Kind::requirement)) {
        if (!input.excluded.contains(line.name)) input.overrides.push_back(std::move(line));
    }
    hold(request, base, input);
    refuse_foreign_wheels(input, base);
    return input;
}

void apply_mirrors(const Mirrors& mirrors, ResolutionInput& input) {
    for (auto* lines : {&input.requirements, &input.constraints, &input.overrides}) {
        for (Requirement& line : *lines) {
            const auto target = line.target();
            if (!target.starts_with("http://") && !target.starts_with("https://")) continue;
            std::string mirrored = mirrors.apply(target);
            // Behind `name @` stands a URL, and pip takes no other.
            if (mirrored.starts_with('/')) mirrored = "file://" + percent_encode(mirrored, "/");
            line.for_installer.replace(line.for_installer.rfind(target), target.size(), mirrored);
        }
    }
}

std::vector<std::string> option_texts(const ResolutionInput& input) {
    std::vector<std::string> texts;
    for (const Requirement& option : input.options)
        texts.push_back(option.for_installer);
    return texts;
}

std::string file_of(const std::vector<Requirement>& lines) {
    std::string text;
    for (const Requirement& line : lines)
        text += line.for_installer + "\n";
    return text;
}

std::string requirements_file(const ResolutionInput& input) {
    std::string text = file_of(input.requirements);
    return text + file_of(input.options);
}

bool is_version(const std::string& text) {
    static const std::regex pep440{
        R"((\d+!)?\d+(\.\d+)*([-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?\d*)?)"
        R"((-\d+|[-_.]?(post|rev|r)[-_.]?\d*)?([-_.]?dev[-_.]?\d*)?(\+[a-z0-9]+([-_.][a-z0-9]+)*)?)",
        std::regex::icase};
    return text.size() < 200 && std::regex_match(text, pep440);
}

std::string_view pinned_version(std::string_view text) {
    const auto at = text.find("==");
    if (at == std::string_view::npos || text.find(" @ ") != std::string_view::npos) return {};
    text = text.substr(0, text.find(';'));
    auto version = text.substr(at + 2);
    version = version.substr(version.starts_with('=') ? 1 : 0);
    return version.find(',') == std::string_view::npos ? trim(version) : std::string_view{};
}

bool same_version(std::string_view a, std::string_view b) {
    return comparable(a) == comparable(b);
}

void add_askers(Pin& pin, const ResolutionInput& input) {
    const std::string name = parse_specifier(pin.requirement).name;
    std::vector<std::string> places;
    for (const Requirement& asked : input.requirements) {
        if (!name.empty() && asked.name == name) places.push_back(asked.where());
    }
    pin.asked_by.insert(pin.asked_by.begin(), places.begin(), places.end());
}

std::vector<Pin> to_install(const std::vector<Pin>& resolved, const ResolutionInput& input) {
    std::vector<Pin> pins;
    for (const Pin& pin : resolved) {
        const std::string name = parse_specifier(pin.requirement).name;
        if (input.held.contains(name) || input.excluded.contains(name)) continue;
        const auto version = pinned_version(pin.requirement);
        const bool there =
            !version.empty() && std::any_of(input.inherited.begin(), input.inherited.end(),
                                            [&](const Package& package) {
                                                return package.name == name &&
                                                       same_version(package.version, version);
                                            });
        if (there) continue;
        pins.push_back(pin);
        if (version.empty()) continue;
        if (auto given = given_hashes(pin, name, input); !given.empty())
            pins.back().hashes = std::move(given);
    }
    return pins;
}

}  // namespace podctl::python

#include "conflict_chain.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/text.hpp"

#include "specifier.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <set>

namespace podctl::python {

namespace {

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

template <std::size_t N>
bool contains_any(std::string_view text, const std::array<std::string_view, N>& parts) {
    return std::any_of(parts.begin(), parts.end(),
                       [&](std::string_view part) { return contains(text, part); });
}

void add_once(std::vector<std::string>& list, const std::string& item) {
    if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

// uv's reasons go on to its end, with blank lines between the branches of a proof. pip's stand
// between much else.
std::vector<std::string> reason_lines(std::string_view words) {
    constexpr std::array<std::string_view, 5> begins_for_uv{
        "cause:", "╰─▶", "├─▶", "Caused by:", "Requirements contain conflicting"};
    constexpr std::array<std::string_view, 4> one_line_of_pip{
        "Ignored the following versions", "requires a different Python", "Could not find a version",
        "No matching distribution found"};
    std::vector<std::string> lines;
    bool in_uv = false, in_pip = false;
    for (std::string& line : split(words, '\n')) {
        in_uv = in_uv || contains_any(line, begins_for_uv);
        if (contains(line, "Cannot install")) in_pip = true;
        if (contains(line, "To fix this you could") || contains(line, "ResolutionImpossible"))
            in_pip = false;
        const bool wanted = in_uv || in_pip || contains_any(line, one_line_of_pip);
        if (wanted && !trim(line).empty()) lines.push_back(std::move(line));
    }
    return lines;
}

// "-r …/requirements.txt (line 3)" says pip of what it cannot name otherwise.
struct PlaceInText {
    std::size_t begin = 0, end = 0;
    const Requirement* line = nullptr;
};

std::optional<PlaceInText> find_place(std::string_view text, const ResolutionInput& input,
                                      std::size_t from) {
    constexpr std::string_view before_number = " (line ";
    const auto begin = text.find("-r ", from);
    if (begin == std::string_view::npos) return std::nullopt;
    const auto middle = text.find(before_number, begin);
    if (middle == std::string_view::npos) return std::nullopt;
    const auto close = text.find(')', middle);
    if (close == std::string_view::npos) return std::nullopt;
    const std::string number{
        text.substr(middle + before_number.size(), close - middle - before_number.size())};
    const auto file = text.substr(begin + 3, middle - begin - 3);
    return PlaceInText{begin, close + 1,
                       line_of_file(file, std::strtoul(number.c_str(), nullptr, 10), input)};
}

std::string led_back(std::string line, const ResolutionInput& input) {
    std::size_t from = 0;
    while (const auto place = find_place(line, input, from)) {
        from = place->end;
        if (place->line == nullptr) continue;
        line.replace(place->begin, place->end - place->begin, place->line->text);
        from = place->begin + place->line->text.size();
    }
    return line;
}

// A word of the reasons that may be a package, as "gradio[oauth]==3.50.2," is.
struct Word {
    std::string name;    // normalised
    char behind = '\0';  // what follows the name
};

std::vector<Word> words_in(const std::vector<std::string>& lines) {
    std::vector<Word> words;
    for (const std::string& line : lines) {
        for (std::size_t at = 0; at < line.size();) {
            if (std::isspace(static_cast<unsigned char>(line[at])) != 0) {
                ++at;
                continue;
            }
            auto end = line.find_first_of(" \t", at);
            end = end == std::string::npos ? line.size() : end;
            auto begin = at;
            while (begin < end && !is_alphanumeric(line[begin]))
                ++begin;
            auto stop = begin;
            while (stop < end && is_name_character(line[stop]))
                ++stop;
            const char behind = stop < line.size() ? line[stop] : '\0';
            while (stop > begin && !is_alphanumeric(line[stop - 1]))
                --stop;
            words.push_back(
                {normalise_name(std::string_view{line}.substr(begin, stop - begin)), behind});
            at = end;
        }
    }
    return words;
}

// Words are also English ("only", "requests"): a package stands behind such a word, or has a
// version, an extra or a marker behind it.
bool is_package(const std::vector<Word>& words, std::size_t at) {
    static const std::set<std::string> before{
        "require",   "requires", "of",          "because", "on", "and",        "only",
        "requested", "install",  "requirement", "for",     "as", "constraint", "package"};
    if (words[at].behind != '\0' && contains("[<>=!~{@`", std::string_view{&words[at].behind, 1}))
        return true;
    if (at > 0 && before.contains(words[at - 1].name)) return true;
    // "gradio 3.50.2 depends on"
    return at + 2 < words.size() && words[at + 2].name == "depends";
}

bool is_depended_on(const std::vector<Word>& words, std::size_t at) {
    return at > 1 && words[at - 1].name == "on" && words[at - 2].name.starts_with("depend");
}

std::set<std::string> asked_names(const ResolutionInput& input) {
    std::set<std::string> names;
    for (const Requirement* line : all_lines(input))
        names.insert(line->name);
    names.erase("");
    return names;
}

// The package that one of pip's lines is about: "Collecting gradio>=3 (from …)", "Processing
// /w/gradio-3.50.2-py3-none-any.whl (from …)".
std::string subject_of(std::string_view line) {
    constexpr std::array<std::string_view, 4> beginnings{
        "Collecting ", "Processing ", "Requirement already satisfied: ",
        "Could not find a version that satisfies the requirement "};
    for (const std::string_view beginning : beginnings) {
        const auto at = line.find(beginning);
        if (at == std::string_view::npos) continue;
        auto subject = line.substr(at + beginning.size());
        subject = subject.substr(0, subject.find(" ("));
        const bool is_file = subject.ends_with(".whl");
        if (is_file) subject.remove_prefix(subject.rfind('/') + 1);
        std::size_t end = 0;
        while (end < subject.size() && is_name_character(subject[end]) &&
               !(is_file && subject[end] == '-'))
            ++end;
        return normalise_name(subject.substr(0, end));
    }
    return {};
}

// What stands in "(from A->B->-r file (line 3))", in pip's order: who asks for it, who asks for
// that one, …
std::vector<std::string> parents_of(std::string_view line) {
    constexpr std::string_view opening = "(from ";
    const auto at = line.find(opening);
    if (at == std::string_view::npos) return {};
    auto chain = line.substr(at + opening.size());
    int open = 1;
    std::size_t end = 0;
    while (end < chain.size() && (open += chain[end] == '(' ? 1 : chain[end] == ')' ? -1 : 0) > 0)
        ++end;
    chain = chain.substr(0, end);
    if (chain.starts_with("versions:")) return {};
    std::vector<std::string> parents;
    for (auto arrow = chain.find("->"); arrow != std::string_view::npos; arrow = chain.find("->")) {
        parents.emplace_back(chain.substr(0, arrow));
        chain.remove_prefix(arrow + 2);
    }
    parents.emplace_back(chain);
    return parents;
}

// pip names the last link of a chain only; how it came there, it says while it works.
void add_trails(std::string_view all_words, const std::vector<Word>& named,
                const ResolutionInput& input, const std::set<std::string>& asked,
                Reasons& reasons) {
    std::set<std::string> names;
    for (const Word& word : named)
        names.insert(word.name);
    std::vector<std::string> trails;
    for (const std::string& line : split(all_words, '\n')) {
        const std::string subject = subject_of(line);
        if (subject.empty() || !names.contains(subject)) continue;
        auto parents = parents_of(line);
        const std::string root = parents.empty() ? "" : parents.back();
        const bool by_line = root.starts_with("-r ");
        if (parents.size() < (by_line ? 2 : 1)) continue;
        const auto place = find_place(root, input, 0);
        if (by_line) parents.pop_back();
        if (place && place->line != nullptr) parents.push_back(place->line->where());
        for (const Word& word : words_in(parents)) {
            if (asked.contains(word.name)) add_once(reasons.packages, word.name);
        }
        if (place && place->line != nullptr && !place->line->name.empty())
            add_once(reasons.packages, place->line->name);
        add_once(trails,
                 fmt::format("{} is asked for by {}", subject, fmt::join(parents, ", that by ")));
    }
    for (const std::string& trail : trails)
        reasons.text += "\n    " + trail;
}

}  // namespace

std::vector<const Requirement*> all_lines(const ResolutionInput& input) {
    std::vector<const Requirement*> all;
    for (const auto* lines : {&input.requirements, &input.constraints, &input.overrides}) {
        for (const Requirement& line : *lines)
            all.push_back(&line);
    }
    return all;
}

const std::vector<Requirement>* lines_of_file(std::string_view file, const ResolutionInput& input) {
    if (file.ends_with("constraints.txt")) return &input.constraints;
    if (file.ends_with("overrides.txt")) return &input.overrides;
    if (file.ends_with("requirements.txt")) return &input.requirements;
    return nullptr;
}

const Requirement* line_of_file(std::string_view file, std::size_t number,
                                const ResolutionInput& input) {
    const auto* lines = lines_of_file(file, input);
    const bool is_there = lines != nullptr && number > 0 && number <= lines->size();
    return is_there ? &(*lines)[number - 1] : nullptr;
}

const Requirement* line_in(std::string_view text, const ResolutionInput& input) {
    const auto place = find_place(text, input, 0);
    return place ? place->line : nullptr;
}

Reasons read_reasons(std::string_view words, const ResolutionInput& input) {
    std::vector<std::string> lines = reason_lines(words);
    for (std::string& line : lines)
        line = led_back(std::move(line), input);
    Reasons reasons{
        .text = fmt::format("{}", fmt::join(lines, "\n")), .packages = {}, .depended_on = {}};
    // Across the lines: older releases of uv wrap them.
    const auto named = words_in(lines);
    const auto asked = asked_names(input);
    for (std::size_t at = 0; at < named.size(); ++at) {
        const std::string& name = named[at].name;
        if (name == "depends" || name == "depend") reasons.has_chain = true;
        if (!asked.contains(name) || !is_package(named, at)) continue;
        add_once(reasons.packages, name);
        if (is_depended_on(named, at)) add_once(reasons.depended_on, name);
    }
    add_trails(words, named, input, asked, reasons);
    return reasons;
}

}  // namespace podctl::python

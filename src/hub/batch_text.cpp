#include "batch_text.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/url.hpp"

#include "source_forms.hpp"

#include <algorithm>

namespace podctl::hub {
namespace {

constexpr std::string_view blanks = " \t\r\n\f\v";

bool is_blank(char c) {
    return blanks.find(c) != blanks.npos;
}

bool begins_with(std::string_view text, std::initializer_list<std::string_view> prefixes) {
    return std::ranges::any_of(prefixes, [&](std::string_view prefix) {
        return to_lower(text.substr(0, prefix.size())) == prefix;
    });
}

bool has_scheme(std::string_view text) {
    const auto mark = text.find("://");
    if (mark == text.npos || mark == 0) return false;
    return std::ranges::all_of(text.substr(0, mark), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '+' || c == '-' || c == '.';
    });
}

// civitai:…, or TYPE:civitai:… of an AIR without its urn:air:.
bool is_air(std::string_view word) {
    if (begins_with(word, {"civitai:", "urn:", "air:"})) return true;
    const auto at = to_lower(word).find(":civitai:");
    return at != word.npos && word.substr(0, at).find_first_of("/?&=%") == word.npos;
}

std::string host_of(std::string_view word) {
    if (const auto url = parse_url(word)) return url->host;
    return to_lower(word.substr(0, word.find('/')));
}

bool is_hub_address(std::string_view word) {
    const auto host = to_lower(word.substr(0, word.find('/')));
    return host.size() < word.size() && (is_civitai_host(host) || is_hugging_face_host(host));
}

// A source by its looks, wherever it stands.
bool looks_like_a_source(std::string_view word) {
    return has_scheme(word) || begins_with(word, {"hf:", "sha256:"}) || is_air(word) ||
           is_hub_address(word) || is_sha256(word);
}

// A source that can hold neither a comma nor white space: what comes after one is another.
bool is_closed(std::string_view word) {
    return is_digits(word) || is_sha256(word) || begins_with(word, {"sha256:"}) ||
           (!has_scheme(word) && is_air(word)) || is_civitai_host(host_of(word));
}

struct Gap {
    bool comma = false, blank = false;
};

// Whether the text between two words separates two sources.
bool separates(std::string_view before, const Gap& gap, std::string_view next) {
    // The start tells the form, and a line may be as long as a file.
    before = before.substr(0, 256);
    if (before.empty() || looks_like_a_source(next)) return true;
    if (is_closed(before)) return true;
    if (!gap.comma) return false;
    const bool may_hold_commas =
        has_scheme(before) || begins_with(before, {"hf:"}) || is_hub_address(before);
    return gap.blank || !may_hold_commas;
}

// The end of the word that begins at `start`.
std::size_t word_end(std::string_view line, std::size_t start) {
    while (start < line.size() && line[start] != ',' && !is_blank(line[start]))
        ++start;
    return start;
}

Gap skip_gap(std::string_view line, std::size_t& at) {
    Gap gap;
    for (; at < line.size() && (line[at] == ',' || is_blank(line[at])); ++at) {
        gap.comma |= line[at] == ',';
        gap.blank |= line[at] != ',';
    }
    return gap;
}

std::string_view without_comment(std::string_view line) {
    for (auto at = line.find('#'); at != line.npos; at = line.find('#', at + 1))
        if (at == 0 || is_blank(line[at - 1])) return line.substr(0, at);
    return line;
}

}  // namespace

std::vector<std::string> split_sources(std::string_view line) {
    std::vector<std::string> sources;
    std::size_t at = 0;
    skip_gap(line, at);
    std::size_t start = at, end = at;  // of the source that is being gathered
    while (at < line.size()) {
        end = word_end(line, at);
        at = end;
        const auto gap = skip_gap(line, at);
        const auto next = line.substr(at, word_end(line, at) - at);
        const auto gathered = line.substr(start, end - start);
        if (!next.empty() && !separates(gathered, gap, next)) continue;
        sources.emplace_back(gathered);
        start = at;
    }
    return sources;
}

std::vector<BatchLine> batch_lines(std::string_view text) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    std::vector<BatchLine> lines;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = text.find_first_of("\r\n");
        const auto line = text.substr(0, end);
        const auto said = trim(without_comment(line));
        if (!said.empty()) lines.push_back({number, std::string(said), is_blank(line.front())});
        if (end == text.npos) break;
        text.remove_prefix(text.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
    }
    return lines;
}

std::string_view nested_file(std::string_view word) {
    if (word.starts_with('@')) return trim(word.substr(1));
    if (word.size() > 2 && word.starts_with("-i") && is_blank(word[2])) return trim(word.substr(2));
    return {};
}

}  // namespace podctl::hub

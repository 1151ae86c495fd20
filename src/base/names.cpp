#include "podctl/base/names.hpp"

#include "podctl/base/printable.hpp"
#include "podctl/base/utf8.hpp"

#include <algorithm>

namespace podctl {

namespace {

constexpr std::size_t max_name_bytes = 255;  // NAME_MAX of every file system that matters
constexpr std::size_t max_extension_bytes = 32;

std::string cleaned(std::string_view name) {
    std::string out;
    while (!name.empty()) {
        const auto [code_point, length, valid] = utf8::decode(name);
        if (!valid)
            out += "\xEF\xBF\xBD";
        else if (code_point == '/' || code_point == '\\')
            out += '_';
        else if (!is_invisible(code_point))
            out += name.substr(0, length);
        name.remove_prefix(length);
    }
    return out;
}

std::string_view strip_ends(std::string_view name) {
    const auto first = name.find_first_not_of(".- ");
    if (first == std::string_view::npos) return {};
    return name.substr(first, name.find_last_not_of(". ") - first + 1);
}

// A volume can be shared with Windows, which opens a device by such a name, whatever extension
// follows (https://learn.microsoft.com/windows/win32/fileio/naming-a-file).
bool is_device(std::string_view name) {
    const std::string stem = to_lower(trim(name.substr(0, name.find('.'))));
    if (stem == "con" || stem == "prn" || stem == "aux" || stem == "nul") return true;
    const bool numbered = stem.starts_with("com") || stem.starts_with("lpt");
    return numbered && stem.size() == 4 && stem[3] >= '1' && stem[3] <= '9';
}

}  // namespace

std::string safe_file_name(std::string_view name) {
    std::string clean = cleaned(name);
    if (is_device(strip_ends(clean))) clean = '_' + std::string{strip_ends(clean)};
    const std::string_view safe = strip_ends(clean);
    if (safe.size() <= max_name_bytes) return std::string{safe};
    const auto dot = safe.rfind('.');
    if (dot == std::string_view::npos || safe.size() - dot > max_extension_bytes)
        return std::string{strip_ends(utf8::cut(safe, max_name_bytes))};
    const auto extension = safe.substr(dot);
    std::string result{utf8::cut(safe.substr(0, dot), max_name_bytes - extension.size())};
    return result += extension;
}

namespace {

// Optimal string alignment: a swap of two neighbours counts as one edit.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        std::swap(before, last);
        std::swap(last, row);
    }
    return last[b.size()];
}

}  // namespace

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
    const std::string wanted = to_lower(word);
    const std::size_t allowed = wanted.size() / 3;
    std::optional<std::string> best;
    std::size_t best_distance = allowed + 1;
    for (const std::string& candidate : candidates) {
        const std::size_t longer = std::max(candidate.size(), wanted.size());
        if (longer - std::min(candidate.size(), wanted.size()) > allowed) continue;
        const std::size_t distance = edit_distance(wanted, to_lower(candidate));
        if (distance >= best_distance) continue;
        best = candidate;
        best_distance = distance;
    }
    return best;
}

std::string to_lower(std::string_view text) {
    std::string lower{text};
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return lower;
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view space = " \t\r\n\v\f";
    const auto first = text.find_first_not_of(space);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(space) - first + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (;;) {
        const auto end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

}  // namespace podctl

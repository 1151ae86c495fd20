#include "podctl/hub/civitdl.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/utf8.hpp"

#include "civitdl_names.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace podctl::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_name_bytes = 255;

// What safe_file_name takes off at the end does no harm on the file systems of a pod, and civitdl
// leaves it there.
std::string with_end_of(std::string safe, std::string_view name) {
    if (safe.empty()) return safe;
    const auto end = name.substr(name.find_last_not_of(". ") + 1);
    return safe.append(end.substr(0, max_name_bytes - std::min(safe.size(), max_name_bytes)));
}

char replacement(char c) {
    switch (c) {
        case '<':
            return '(';
        case '>':
            return ')';
        case ':':
            return ',';
        case '"':
            return '-';
        case '?':
            return '.';
        case '/':
        case '\\':
        case '|':
        case '*':
            return '&';
        default:
            return c;
    }
}

bool is_one_of(char c, std::string_view set) {
    return set.find(c) != std::string_view::npos;
}

// remove_pun_before_specials: "What? (v2)" is "What (v2)".
std::string without_punctuation_before_specials(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto run = std::min(text.find_first_not_of(".?!,;:"), text.size());
        const auto next = text.find_first_not_of(' ', run);
        const bool dropped = next != std::string_view::npos && is_one_of(text[next], "&()[]{}-");
        if (!dropped) out += text.substr(0, run);
        text.remove_prefix(run);
        const auto rest = std::min(text.find_first_of(".?!,;:"), text.size());
        out += text.substr(0, rest);
        text.remove_prefix(rest);
    }
    return out;
}

// remove_extra_space.
std::string with_single_spaces(const std::string& text) {
    std::string out;
    for (const auto& word : split(text, ' ')) {
        if (word.empty()) continue;
        if (!out.empty()) out += ' ';
        out += word;
    }
    return out;
}

// DirName.replace_with_rule_1 of helpers/sorter/utils.py, which is for the model's name alone: the
// file's name and the base model are not changed by it.
std::string by_rule_1(std::string name) {
    std::ranges::transform(name, name.begin(), replacement);
    return with_single_spaces(without_punctuation_before_specials(name));
}

std::string model_folder(const ResolvedFile& file) {
    const std::string name = by_rule_1(file.model_name);
    const std::string safe = with_end_of(safe_file_name(name), name);
    return safe.empty() ? fmt::format("mid_{}", file.model_id) : safe;
}

// civitdl takes any of several that match (the first of a Python set); here it is always the first
// one in its own list. The last one stands for no match.
template <std::size_t size>
std::string matching(const std::array<const char*, size>& list,
                     const std::vector<std::string>& tags) {
    const auto is_there = [&](const char* tag) { return std::ranges::count(tags, tag) > 0; };
    const auto found = std::ranges::find_if(list, is_there);
    return found == list.end() ? list.back() : *found;
}

fs::path tag_folders(const ResolvedFile& file) {
    static constexpr std::array kinds{"anime", "others"};
    static constexpr std::array styles{"style",     "poses",   "clothings", "character",
                                       "celebrity", "concept", "others"};
    if (!file.tags)
        throw Error{ErrorKind::internal, "the tags sorter without tags: ask_civitai_tags() first"};
    std::string base = file.base_model;
    std::ranges::replace(base, ' ', '_');
    return fs::path(with_end_of(safe_file_name(base), base)) / matching(kinds, *file.tags) /
           matching(styles, *file.tags);
}

fs::path folders(const ResolvedFile& file, CivitdlSorter sorter) {
    switch (sorter) {
        case CivitdlSorter::basic:
            return model_folder(file);
        case CivitdlSorter::tags:
            return tag_folders(file) / model_folder(file);
    }
    return {};
}

struct FileName {
    std::string stem, extension;  // with its dot
};

// Python's os.path.splitext: dots at the front begin no extension.
FileName split_extension(const std::string& name) {
    const auto front = std::min(name.find_first_not_of('.'), name.size());
    const auto dot = name.rfind('.');
    if (dot == std::string::npos || dot < front) return {name, ""};
    return {name.substr(0, dot), name.substr(dot)};
}

// __get_filenames of civitdl/batch/_model.py. The ids survive the limit of 255 bytes; the stem
// gives way.
std::string with_ids(const ResolvedFile& file, FileName name) {
    const auto ids = fmt::format("-mid_{}-vid_{}", file.model_id, file.version_id);
    if (ids.size() + name.extension.size() >= max_name_bytes)
        name = {name.stem + name.extension, ""};
    const std::string tail = ids + name.extension;
    const auto whole =
        fmt::format("{}{}", utf8::cut(name.stem, max_name_bytes - tail.size()), tail);
    return with_end_of(safe_file_name(whole), whole);
}

}  // namespace

fs::path civitdl_path(const ResolvedFile& file, CivitdlSorter sorter) {
    return folders(file, sorter) / with_ids(file, split_extension(file.name));
}

std::string civitdl_hashes_name(const ResolvedFile& file) {
    return with_ids(file, {split_extension(file.name).stem, ".csv"});
}

}  // namespace podctl::hub

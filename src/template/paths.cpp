#include "paths.hpp"

#include "podctl/base/names.hpp"

#include "model_folders.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace podctl::tmpl {
namespace {

using Fault = std::optional<std::string>;

constexpr std::size_t longest_path = 4095;      // PATH_MAX without its NUL
constexpr std::size_t longest_component = 255;  // NAME_MAX

std::vector<std::string_view> components(std::string_view path) {
    std::vector<std::string_view> parts;
    while (!path.empty()) {
        const auto slash = std::min(path.find('/'), path.size());
        if (slash > 0) parts.push_back(path.substr(0, slash));
        path.remove_prefix(std::min(slash + 1, path.size()));
    }
    return parts;
}

// True when a relative path climbs above where it starts.
bool climbs_out(std::string_view path) {
    int depth = 0;
    for (const auto part : components(path)) {
        if (part == "..") {
            if (--depth < 0) return true;
        } else if (part != ".") {
            ++depth;
        }
    }
    return false;
}

// What would be a folder of that name beside the file that is meant.
bool is_model_file(std::string_view name) {
    const std::string lower = to_lower(name);
    constexpr std::array endings{".safetensors", ".sft",  ".ckpt", ".pt", ".pth",
                                 ".bin",         ".gguf", ".onnx", ".pkl"};
    return std::ranges::any_of(endings, [&](std::string_view end) { return lower.ends_with(end); });
}

bool is_in_typographic_quotes(std::string_view text) {
    constexpr std::array quotes{"\u201C", "\u201D", "\u201E", "\u2018", "\u2019"};
    return std::ranges::any_of(quotes, [&](std::string_view quote) {
        return text.starts_with(quote) || text.ends_with(quote);
    });
}

}  // namespace

std::string absolute_path(std::string_view path, std::string_view folder) {
    std::vector<std::string_view> parts;
    if (!path.starts_with('/')) parts = components(folder);
    for (const auto part : components(path)) {
        if (part == "..") {
            if (!parts.empty()) parts.pop_back();
        } else if (part != ".") {
            parts.push_back(part);
        }
    }
    std::string result;
    for (const auto part : parts)
        result.append("/").append(part);
    return result.empty() ? "/" : result;
}

bool is_at_or_under(std::string_view path, std::string_view folder) {
    if (folder == "/") return true;
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7F;
    });
}

Fault characters_fault(std::string_view text) {
    if (text.empty()) return "it is empty";
    if (has_control(text)) return "it has control characters";
    if (text.front() == '~') return "~ is not expanded";
    // Windows' paths, and what a word processor makes of quotes.
    if (text.find('\\') != std::string_view::npos) return "it has a backslash: write /";
    if (is_in_typographic_quotes(text)) return "its quotes are no quotes of YAML's";
    const auto parts = components(text);
    const bool long_part = std::any_of(parts.begin(), parts.end(), [](std::string_view part) {
        return part.size() > longest_component;
    });
    if (text.size() > longest_path || long_part) return "it is too long";
    return std::nullopt;
}

Fault path_fault(std::string_view text, const PathContext& context) {
    if (auto fault = characters_fault(text)) return fault;
    if (!text.starts_with('/') && climbs_out(text)) return "it leaves the mount " + context.shown;
    const std::string path = absolute_path(text, context.mount);
    if (!is_at_or_under(path, context.mount)) return "it is outside the mount " + context.shown;
    if (is_at_or_under(path, absolute_path(".podctl", context.mount))) {
        return ".podctl is podctl's own folder";
    }
    return std::nullopt;
}

Fault owned_path_fault(std::string_view text, const PathContext& context) {
    if (auto fault = path_fault(text, context)) return fault;
    if (absolute_path(text, context.mount) == context.mount) return "it is the mount itself";
    return std::nullopt;
}

Fault node_path_fault(std::string_view text, const PathContext& context) {
    if (auto fault = characters_fault(text)) return fault;
    const std::string path = absolute_path(text, context.mount);
    if (!text.starts_with('/') || is_at_or_under(path, context.mount))
        return owned_path_fault(text, context);
    if (is_at_or_under(context.mount, path)) return "the mount is in it";
    return std::nullopt;
}

Fault model_folder_fault(std::string_view text, const PathContext& context) {
    constexpr auto is_file = "it is a folder: the file's own name is given by `name`";
    const std::string normal = absolute_path(text, "/");
    const auto parts = components(normal);
    if (!parts.empty() && is_model_file(parts.back())) return is_file;
    if (text.starts_with('/')) return path_fault(text, context);
    if (auto fault = characters_fault(text)) return fault;
    if (climbs_out(text)) return "it leaves ComfyUI's models/";
    const auto reserved = [](std::string_view part) { return part == ".podctl"; };
    if (std::any_of(parts.begin(), parts.end(), reserved)) return ".podctl is podctl's own folder";
    // `civitdl URL models/checkpoints/` is a habit; here it would be models/models/checkpoints.
    const auto models = std::find(parts.begin(), parts.end(), "models");
    const bool is_doubled =
        models == parts.begin() || (models == parts.begin() + 1 && to_lower(parts[0]) == "comfyui");
    if (models != parts.end() && is_doubled)
        return "it is under ComfyUI's models/ already: leave that out";
    const auto meant = parts.empty() ? std::nullopt : folder_meant(parts[0]);
    // Some pack may read a folder of that very name.
    if (meant)
        return fmt::format(
            "nothing reads that folder: did you mean {}? An absolute path is "
            "taken as it is",
            *meant);
    return std::nullopt;
}

std::string repository_name(std::string_view git_url) {
    git_url = git_url.substr(0, git_url.find_first_of("?#"));
    while (git_url.ends_with('/'))
        git_url.remove_suffix(1);
    const auto start = git_url.find_last_of("/:");
    if (start != std::string_view::npos) git_url.remove_prefix(start + 1);
    if (git_url.ends_with(".git")) git_url.remove_suffix(4);
    return std::string{git_url};
}

}  // namespace podctl::tmpl

#include "podctl/base/names.hpp"
#include "podctl/comfy/comfy.hpp"

#include <filesystem>

// The lines are those of nodes.py (load_custom_node, init_external_custom_nodes) and main.py
// (execute_prestartup_script). Newer versions put a coloured level before them, and the path may
// hold anything, so each is found by its fixed words.
namespace podctl::comfy {

namespace {

struct Parts {
    std::string_view path, rest;
};

// "<anything><before><path><middle><rest>".
std::optional<Parts> take_apart(std::string_view line, std::string_view before,
                                std::string_view middle) {
    const auto start = line.find(before);
    if (start == line.npos) return std::nullopt;
    line.remove_prefix(start + before.size());
    const auto end = line.find(middle);
    if (end == line.npos) return std::nullopt;
    return Parts{line.substr(0, end), line.substr(end + middle.size())};
}

// What follows " seconds<mark>", when a number stands before it.
std::optional<std::string_view> after_seconds(std::string_view line, std::string_view mark) {
    const auto at = line.find(mark);
    if (at == line.npos || at == 0) return std::nullopt;
    const char digit = line[at - 1];
    if (digit < '0' || digit > '9') return std::nullopt;
    return line.substr(at + mark.size());
}

std::string folder_name(std::string_view path) {
    while (path.ends_with('/'))
        path.remove_suffix(1);
    return std::filesystem::path(path).filename().string();
}

}  // namespace

std::optional<FailedNode> ImportReport::read(std::string_view line) {
    line = trim(line);
    if (const auto parts = take_apart(line, "Cannot import ", " module for custom nodes: "))
        reasons_[folder_name(parts->path)] = std::string(trim(parts->rest));
    else if (take_apart(line, "Skip ", " module for custom nodes due to the lack of "))
        reasons_[folder_name(take_apart(line, "Skip ", " module for")->path)] =
            "it has no NODE_CLASS_MAPPINGS";
    else if (const auto script = take_apart(line, "Failed to execute startup-script: ", " / "))
        reasons_[folder_name(std::filesystem::path(script->path).parent_path().string())] =
            "prestartup_script.py: " + std::string(trim(script->rest));

    auto path = after_seconds(line, " seconds (IMPORT FAILED): ");
    if (!path) path = after_seconds(line, " seconds (PRESTARTUP FAILED): ");
    if (!path) return std::nullopt;
    FailedNode failed{.node = folder_name(*path), .reason = {}};
    if (const auto reason = reasons_.extract(failed.node)) failed.reason = reason.mapped();
    return failed;
}

}  // namespace podctl::comfy

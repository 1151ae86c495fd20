#include "podctl/base/names.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/comfy/comfy.hpp"

#include <fmt/format.h>

#include <algorithm>
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

// What ComfyUI says of an entry point begins with its path, which may have blanks in it.
std::size_t end_of_path(std::string_view text) {
    return std::min({text.find(" is not "), text.find(" did not "), text.size()});
}

std::string folder_name(std::string_view path) {
    while (path.ends_with('/'))
        path.remove_suffix(1);
    return std::filesystem::path(path).filename().string();
}

}  // namespace

// A traceback says more than the exception's text alone: its type, and where.
void ImportReport::keep_reason(std::string_view path, std::string_view reason) {
    const std::string node = folder_name(path);
    const auto traceback = tracebacks_.extract(node);
    const bool is_same = traceback && traceback.mapped().find(trim(reason)) != std::string::npos;
    reasons_[node] = is_same ? traceback.mapped() : std::string{trim(reason)};
}

// "Traceback (most recent call last):", then "  File "/…/custom_nodes/bad/a.py", line 3, in f" with
// a line of source each, and the exception at the beginning of a line.
void ImportReport::read_traceback(std::string_view line) {
    if (line.find("Traceback (most recent call last)") != line.npos) {
        traceback_.emplace();
        return;
    }
    if (!traceback_ || line.empty()) return;
    if (line.front() != ' ') {
        if (!traceback_->node.empty())
            tracebacks_[traceback_->node] =
                shorten_line(fmt::format("{} ({})", trim(line), traceback_->place));
        traceback_.reset();
        return;
    }
    constexpr std::string_view folder = "/custom_nodes/";
    const auto file = take_apart(line, "  File \"", "\", line ");
    const auto in_packs = file ? file->path.rfind(folder) : line.npos;
    if (in_packs == line.npos) return;
    const auto in_pack = file->path.substr(in_packs + folder.size());
    const auto slash = in_pack.find('/');
    traceback_->node = in_pack.substr(0, slash);
    traceback_->place =
        fmt::format("{}:{}", slash == in_pack.npos ? in_pack : in_pack.substr(slash + 1),
                    file->rest.substr(0, file->rest.find_first_not_of("0123456789")));
}

std::optional<FailedNode> ImportReport::read(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    read_traceback(line);
    line = trim(line);
    if (const auto parts = take_apart(line, "Cannot import ", " module for custom nodes:"))
        keep_reason(parts->path, parts->rest);
    else if (const auto skipped =
                 take_apart(line, "Skip ", " module for custom nodes due to the lack of "))
        keep_reason(skipped->path, "it has no NODE_CLASS_MAPPINGS");
    else if (const auto called = take_apart(line, "Error while calling comfy_entrypoint in ", ": "))
        keep_reason(called->path, fmt::format("comfy_entrypoint: {}", trim(called->rest)));
    else if (const auto refused = take_apart(line, "comfy_entrypoint in ", ", skipping"))
        // "PATH is not callable", "PATH did not return a list of nodes".
        keep_reason(
            refused->path.substr(0, end_of_path(refused->path)),
            fmt::format("comfy_entrypoint{}", refused->path.substr(end_of_path(refused->path))));
    else if (const auto script = take_apart(line, "Failed to execute startup-script: ", " / "))
        keep_reason(std::filesystem::path(script->path).parent_path().string(),
                    fmt::format("prestartup_script.py: {}", trim(script->rest)));

    auto path = after_seconds(line, " seconds (IMPORT FAILED): ");
    if (!path) path = after_seconds(line, " seconds (PRESTARTUP FAILED): ");
    if (path) {
        FailedNode failed{.node = folder_name(*path), .reason = {}};
        if (const auto reason = reasons_.extract(failed.node)) failed.reason = reason.mapped();
        tracebacks_.erase(failed.node);
        return failed;
    }
    path = after_seconds(line, " seconds: ");
    const auto part =
        path ? tracebacks_.extract(folder_name(*path)) : decltype(tracebacks_)::node_type{};
    if (!part) return std::nullopt;
    return FailedNode{.node = part.key(), .reason = part.mapped(), .loads = true};
}

}  // namespace podctl::comfy

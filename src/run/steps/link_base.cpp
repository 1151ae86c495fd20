#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "steps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <string_view>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using plan::Change;
using plan::LinkBase;

// ComfyUI's folders (folder_paths.py) that a checkout gets at the first start at the latest. A link
// to one that lacks could not be made a folder by ComfyUI.
constexpr std::array<std::string_view, 4> folders_of_data{"input", "models", "output", "user"};
constexpr std::string_view packs_folder = "custom_nodes";
// The one file of ComfyUI's own that is loaded as a pack.
constexpr std::string_view pack_of_comfyui = "custom_nodes/websocket_image_save.py";

// By their names in the base. What packs find beside custom_nodes/, they find here as well: some
// take ComfyUI's modules from `../..`.
std::set<fs::path> links_of(const LinkBase& action) {
    std::set<fs::path> names(folders_of_data.begin(), folders_of_data.end());
    std::error_code failed;
    for (fs::directory_iterator it{action.checkout, failed}, end; !failed && it != end;
         it.increment(failed))
        names.insert(it->path().filename());
    if (failed) throw system_error("cannot read " + action.checkout.string(), failed.value());
    // The base is no work tree, and what is temporary is each pod's own anyway.
    for (const auto& name : {".git", "temp", "custom_nodes"})
        names.erase(name);
    if (file_stamp(action.checkout / pack_of_comfyui)) names.insert(pack_of_comfyui);
    return names;
}

bool is_link_to(const fs::path& path, const fs::path& target) {
    std::error_code failed;
    return fs::read_symlink(path, failed) == target && !failed;
}

// Links into the checkout to what it has no more.
std::vector<fs::path> dead_links(const LinkBase& action) {
    std::vector<fs::path> dead;
    std::error_code failed;
    for (fs::directory_iterator it{action.base, failed}, end; !failed && it != end;
         it.increment(failed)) {
        const auto target = action.checkout / it->path().filename();
        if (is_link_to(it->path(), target) && !fs::exists(fs::symlink_status(target)))
            dead.push_back(it->path());
    }
    return dead;
}

std::vector<fs::path> lacking(const LinkBase& action) {
    std::vector<fs::path> names;
    std::ranges::copy_if(links_of(action), std::back_inserter(names), [&](const fs::path& name) {
        return !is_link_to(action.base / name, action.checkout / name);
    });
    return names;
}

// Another link is of another root, or of an older place of the checkout; anything else is not
// podctl's.
void clear_place(const fs::path& path, const fs::path& target, const Task& task) {
    const auto there = fs::symlink_status(path);
    if (!fs::exists(there)) return;
    if (fs::is_symlink(there)) return remove_tree(path);
    if (!task.context.options.force)
        throw Error{ErrorKind::conflict,
                    fmt::format("{} is there and is no link to {}", path.string(), target.string()),
                    "move it away, or let --force do that"};
    task.move_aside(path);
}

}  // namespace

Look look(const LinkBase& action, const Task& task) {
    std::error_code failed;
    if (!fs::is_directory(action.checkout, failed) ||
        !fs::is_directory(action.base / packs_folder, failed))
        return {.change = Change::create, .reason = "packs of the pod's own"};
    if (!task.record) return {.change = Change::change, .reason = "its links are not known yet"};
    const auto names = lacking(action);
    if (!names.empty())
        return {.change = Change::change,
                .reason = fmt::format("no link to {}", names.front().string())};
    if (!dead_links(action).empty()) return {.change = Change::change, .reason = "dead links"};
    return {.change = Change::keep, .reason = "all links are there"};
}

Outcome perform(const LinkBase& action, const Task& task) {
    for (const auto& name : folders_of_data)
        create_folders(action.checkout / name);
    create_folders(action.base / packs_folder);
    for (const auto& link : dead_links(action))
        remove_tree(link);
    for (const auto& name : lacking(action)) {
        const auto target = action.checkout / name;
        clear_place(action.base / name, target, task);
        std::error_code failed;
        fs::create_symlink(target, action.base / name, failed);
        if (failed)
            throw system_error("cannot make the link " + (action.base / name).string(),
                               failed.value());
    }
    return {.changed = true, .facts = {}};
}

}  // namespace podctl::run

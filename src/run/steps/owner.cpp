#include "owner.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/trust.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;

// Every folder from the root down to the one that holds `path`.
bool is_closed_to_others(const fs::path& path, const fs::path& root) {
    if (!is_inside(path, root)) return false;
    for (fs::path folder = path.parent_path(); is_inside(folder, root);
         folder = folder.parent_path()) {
        const Fd opened = open_folder_beneath(folder, Missing::fail);
        if (!opened || others_may_replace_in(opened.get())) return false;
        if (folder == root) return true;
    }
    return false;
}

}  // namespace

std::string other_owner(const fs::path& path, const plan::Places& places) {
    const Fd folder = open_folder_beneath(path, Missing::fail);
    if (!folder) return {};
    // A checkout's own folder, and what git reads.
    for (const char* part : {".", ".git"}) {
        struct stat status {};
        if (::fstatat(folder.get(), part, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (is_trusted_owner(status.st_uid, folder.get())) continue;
        if (is_closed_to_others(path, places.root)) return {};
        return user_name(status.st_uid);
    }
    return {};
}

void clear_other_owners(const fs::path& path, const Task& task) {
    const auto owner = other_owner(path, task.context.places);
    if (owner.empty()) return;
    if (task.context.options.force) {
        task.move_aside(path);
        return;
    }
    throw Error{
        ErrorKind::conflict,
        fmt::format("{} belongs to {}, who can change what podctl would run from it", path.string(),
                    owner),
        fmt::format("if it is yours: chown -R {} {}; else move it away, or let --force move "
                    "it to .podctl/replaced",
                    ::geteuid(), path.string())};
}

}  // namespace podctl::run

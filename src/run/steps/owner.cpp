#include "owner.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/trust.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;

// Where ComfyUI and its users keep data: others may have their own there.
constexpr std::array<std::string_view, 6> data_folders{"custom_nodes", "input", "models",
                                                       "output",       "temp",  "user"};

uid_t owner_of(const Fd& file) {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) throw system_error("cannot look at a file", errno);
    return status.st_uid;
}

// Where an open folder is, whatever links led there. Empty: it cannot be told.
fs::path real_path(const Fd& folder) {
    std::error_code failed;
    return fs::read_symlink(fs::path{"/proc/self/fd"} / std::to_string(folder.get()), failed);
}

// Whether nobody else can have put anything into `folder` (a real path): it and every folder down
// to it, from the root on, are closed to others. The sticky bit is no help here.
bool is_closed_to_others(const fs::path& folder, const fs::path& root) {
    const Fd opened_root = open_folder_beneath(root, Missing::fail);
    if (folder.empty() || !opened_root) return false;
    const fs::path real_root = real_path(opened_root);
    const fs::path last = is_inside(folder, real_root) ? real_root : folder.root_path();
    Fd opened{::open(folder.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    for (fs::path here = folder;; here = here.parent_path()) {
        if (!opened || others_may_add_in(opened.get())) return false;
        if (here == last || here == here.root_path()) return true;
        opened = Fd{::openat(opened.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    }
}

// The first entry in the folder, by name, that is somebody else's.
std::optional<Foreign> foreign_entry(const Fd& folder, const fs::path& shown, bool holds_data) {
    Fd readable = reopen(folder, O_RDONLY | O_DIRECTORY);
    if (!readable) return std::nullopt;
    const std::unique_ptr<DIR, int (*)(DIR*)> entries{::fdopendir(readable.get()), ::closedir};
    if (!entries) throw system_error("cannot read " + shown.string(), errno);
    readable.release();
    std::optional<Foreign> found;
    while (const dirent* entry = ::readdir(entries.get())) {
        const std::string name = entry->d_name;
        if (name == "." || name == ".." || (found && found->path.filename() < name)) continue;
        if (holds_data && std::ranges::find(data_folders, name) != data_folders.end()) continue;
        struct stat status {};
        if (::fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (!is_trusted_owner(status.st_uid, folder.get()))
            found = Foreign{shown / name, user_name(status.st_uid)};
    }
    return found;
}

Error refusal(const Foreign& foreign, const std::string& hint) {
    return {ErrorKind::conflict,
            fmt::format("{} belongs to {}, who can change what podctl would run from it",
                        foreign.path.string(), foreign.owner),
            hint};
}

std::string read_hint(const fs::path& path, const std::string& key) {
    return fmt::format(
        "if it is yours: chown -R {} {}; else copy it to a place of yours and name "
        "that in {}",
        ::geteuid(), path.string(), key);
}

// The root itself is doctor's to judge. Below it each folder is opened from the one before.
std::optional<Foreign> outermost_of_others(const fs::path& target, const fs::path& root) {
    if (!is_inside(target, root)) return std::nullopt;
    const fs::path way = normal_path(target).parent_path().lexically_relative(normal_path(root));
    fs::path folder = root;
    Fd opened = open_folder_beneath(root, Missing::fail);
    for (const auto& part : way) {
        if (part == "." || part == "..") break;  // the root is the file's own folder, or the file
        folder /= part;
        if (opened) opened = open_folder_beneath(folder, opened);
        if (!opened) break;  // nor is anything in it
        if (is_trusted_owner(owner_of(opened), opened.get())) continue;
        if (is_closed_to_others(real_path(opened).parent_path(), root)) continue;
        return Foreign{folder, user_name(owner_of(opened))};
    }
    return std::nullopt;
}

}  // namespace

std::string Foreign::brief() const {
    return fmt::format("{} belongs to {}", path.filename().string(), owner);
}

std::optional<Foreign> other_owner(const fs::path& path, const plan::Places& places) {
    const Fd folder = open_folder_beneath(path, Missing::fail);
    if (!folder) return std::nullopt;
    const fs::path real = real_path(folder);
    if (const uid_t owner = owner_of(folder); !is_trusted_owner(owner, folder.get())) {
        if (is_closed_to_others(real.parent_path(), places.root)) return std::nullopt;
        return Foreign{path, user_name(owner)};
    }
    auto found = foreign_entry(folder, path, path == places.comfyui);
    if (found && !is_closed_to_others(real, places.root)) return found;
    // What git reads. A copy's .git that kept its owner has just been judged as an entry.
    const Fd git{::openat(folder.get(), ".git", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!git || !is_trusted_owner(owner_of(git), folder.get())) return std::nullopt;
    found = foreign_entry(git, path / ".git", false);
    if (found && !is_closed_to_others(real / ".git", places.root)) return found;
    return std::nullopt;
}

void clear_other_owners(const fs::path& path, const Task& task) {
    const auto foreign = other_owner(path, task.context.places);
    if (!foreign) return;
    if (task.context.options.force) {
        task.move_aside(path);
        return;
    }
    throw refusal(*foreign,
                  fmt::format("if it is yours: chown -R {} {}; else move it away, or let --force "
                              "move it to .podctl/replaced",
                              ::geteuid(), path.string()));
}

void refuse_other_owners(const fs::path& path, const std::string& key, const plan::Places& places) {
    if (const auto foreign = other_owner(path, places))
        throw refusal(*foreign, read_hint(path, key));
}

void refuse_other_owner_of_file(const fs::path& file, const std::string& key,
                                const plan::Places& places) {
    const Place place = place_beneath(file, Missing::fail);
    if (!place.folder) return;
    // A link's owner, and that of what it leads to.
    for (const int flags : {AT_SYMLINK_NOFOLLOW, 0}) {
        struct stat status {};
        if (::fstatat(place.folder.get(), place.name.c_str(), &status, flags) != 0) return;
        if (is_trusted_owner(status.st_uid, place.folder.get())) continue;
        if (is_closed_to_others(real_path(place.folder), places.root)) continue;
        throw refusal({file, user_name(status.st_uid)}, read_hint(file, key));
    }
}

void require_way(const fs::path& target, const Task& task) {
    refuse_foreign_links(target);
    const auto found = outermost_of_others(target, task.context.places.root);
    if (!found || !task.context.told.is_new(found->path)) return;
    task.notice(fmt::format("{} belongs to {}, who can exchange what is verified",
                            found->path.string(), found->owner));
}

bool is_way_followed(const fs::path& target, const Task& task) {
    try {
        require_way(target, task);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::conflict) throw;
        return false;
    }
    return true;
}

}  // namespace podctl::run

#include "podctl/base/beneath.hpp"
#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "owner.hpp"
#include "steps.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <vector>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;

fs::path within(const fs::path& pack, const std::string& name) {
    return name.empty() ? pack : pack / name;
}

// What stands there itself: a link is not followed.
std::optional<FileStamp> stamp_of(const fs::path& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
        // A file that cannot be looked at is not one that is not there.
        if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
        throw system_error("cannot look at " + path.string(), errno);
    }
    if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)) return std::nullopt;
    const auto mtime = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
    return FileStamp{static_cast<std::uint64_t>(status.st_size), mtime};
}

// A link may point to another place in the pack: what it points to elsewhere is nobody's to copy.
bool leaves(const fs::path& link, const fs::path& folder) {
    const fs::path target = fs::read_symlink(link);
    return target.is_absolute() || !is_inside(link.parent_path() / target, folder);
}

Manifest list_files(const fs::path& folder) {
    Manifest files;
    std::error_code failed;
    if (fs::is_regular_file(folder)) {
        if (const auto stamp = stamp_of(folder)) files.emplace("", *stamp);
        return files;
    }
    fs::recursive_directory_iterator it{folder, failed};
    if (failed) throw system_error("cannot read " + folder.string(), failed.value());
    for (; it != fs::recursive_directory_iterator{}; it.increment(failed)) {
        const std::string name = it->path().filename();
        // Made by Python and git as they go, no part of the pack.
        if (it->is_directory() && (name == "__pycache__" || name == ".git")) {
            it.disable_recursion_pending();
            continue;
        }
        if (it->is_symlink() && leaves(it->path(), folder)) continue;
        if (const auto stamp = stamp_of(it->path())) {
            files.emplace(it->path().lexically_relative(folder).string(), *stamp);
        }
    }
    if (failed) throw system_error("cannot read " + folder.string(), failed.value());
    return files;
}

std::set<fs::path> folders_of(const Manifest& files) {
    std::set<fs::path> folders;
    for (const auto& [name, stamp] : files)
        if (!name.empty()) folders.insert(fs::path{name}.parent_path());
    return folders;
}

bool same_content(const fs::path& target, const FileStamp& stamp, const fs::path& source) {
    const auto origin = stamp_of(source);
    if (!origin || fs::is_symlink(source) != fs::is_symlink(target)) return false;
    if (fs::is_symlink(source)) return fs::read_symlink(source) == fs::read_symlink(target);
    if (origin->size != stamp.size) return false;
    return origin->mtime_ns == stamp.mtime_ns || sha256_file(target) == sha256_file(source);
}

// Files of the target that are neither the source's nor what was copied last time.
std::vector<std::string> find_changed_by_hand(const plan::CopyNode& action, const Manifest& source,
                                              const Manifest& copied) {
    std::vector<std::string> changed;
    for (const auto& [name, ignored] : source) {
        const auto stamp = stamp_of(within(action.path, name));
        if (!stamp) continue;
        const auto before = copied.find(name);
        if (before != copied.end() && before->second == *stamp) continue;
        if (!same_content(within(action.path, name), *stamp, within(action.from, name)))
            changed.push_back(name);
    }
    return changed;
}

void copy_link(const fs::path& from, const fs::path& to) {
    create_folders(to.parent_path());
    remove_tree(to);
    const Place place = place_beneath(to, Missing::fail);
    const fs::path target = fs::read_symlink(from);
    if (!place.folder || ::symlinkat(target.c_str(), place.folder.get(), place.name.c_str()) != 0)
        throw system_error("cannot create " + to.string(), errno);
}

// A file that became a link since it was listed is not followed.
void copy_file(const fs::path& from, const fs::path& to, mode_t mode) {
    const Fd source = open_beneath(from, O_RDONLY | O_NONBLOCK);
    if (!source) throw system_error("cannot read " + from.string(), errno);
    AtomicFile copy{to};
    std::vector<char> block(1u << 20);
    std::uint64_t at = 0;
    while (const auto size = read_at(source.get(), at, block, from)) {
        copy.write({block.data(), size});
        at += size;
    }
    copy.set_mode(mode & 0777u);
    copy.commit();
}

// The copy gets the source's times, so that the next look needs no content.
void copy_with_times(const fs::path& from, const fs::path& to) {
    struct stat source {};
    if (::lstat(from.c_str(), &source) != 0) {
        throw system_error("cannot read " + from.string(), errno);
    }
    if (S_ISLNK(source.st_mode))
        copy_link(from, to);
    else
        copy_file(from, to, source.st_mode);
    const timespec times[2] = {source.st_atim, source.st_mtim};
    const Place place = place_beneath(to, Missing::fail);
    if (!place.folder ||
        ::utimensat(place.folder.get(), place.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
        throw system_error("cannot set the times of " + to.string(), errno);
    }
}

// A folder where a file is to be, or the other way round.
void clear_other_kind(const plan::CopyNode& action, const Task& task) {
    if (!fs::exists(fs::symlink_status(action.path)) ||
        fs::is_directory(action.path) == fs::is_directory(action.from))
        return;
    if (!task.context.options.force)
        throw Error{ErrorKind::conflict,
                    fmt::format("{} is there already and is no copy of {}", action.path.string(),
                                action.from.string()),
                    "move it away, or let --force move it to .podctl/replaced"};
    task.move_aside(action.path);
}

// What Python has made in it is no reason to keep a folder.
void remove_if_empty(const fs::path& folder) {
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator{folder, failed})
        if (entry.path().filename() != "__pycache__") return;
    if (!failed) remove_tree(folder);
}

// Whether `name` is a folder of the source's now, or lies below what is a file of it now.
bool is_in_the_way(const std::string& name, const Manifest& source) {
    const auto below = source.lower_bound(name + "/");
    if (below != source.end() && below->first.starts_with(name + "/")) return true;
    for (auto slash = name.rfind('/'); slash != name.npos && slash > 0;
         slash = name.rfind('/', slash - 1))
        if (source.contains(name.substr(0, slash))) return true;
    return false;
}

enum class Gone { in_the_way, rest };

// Files that were copied and that the source has no more, with the folders that they leave empty.
bool remove_what_is_gone(const plan::CopyNode& action, const Manifest& source,
                         const Manifest& copied, Gone which) {
    bool changed = false;
    for (const auto& [name, stamp] : copied) {
        const fs::path target = within(action.path, name);
        if (source.contains(name) || stamp_of(target) != stamp) continue;
        if (is_in_the_way(name, source) != (which == Gone::in_the_way)) continue;
        remove_tree(target);
        changed = true;
        if (name.empty()) continue;
        for (auto folder = target.parent_path(); folder != action.path;
             folder = folder.parent_path())
            remove_if_empty(folder);
    }
    return changed;
}

// Folders with files of the user's where the source has a file now: before anything is changed.
void clear_folders_of_users(const plan::CopyNode& action, const Manifest& source,
                            const Manifest& copied, const Task& task) {
    for (const auto& file_of_source : source) {
        const std::string& name = file_of_source.first;
        const fs::path target = within(action.path, name);
        if (name.empty() || !fs::is_directory(fs::symlink_status(target))) continue;
        const auto there = list_files(target);
        const bool is_copied = std::ranges::all_of(there, [&](const auto& file) {
            const auto known = copied.find(name + "/" + file.first);
            return known != copied.end() && known->second == file.second;
        });
        if (is_copied) continue;
        if (!task.context.options.force)
            throw Error{ErrorKind::conflict,
                        fmt::format("{} is a folder with files that are not the pack's, and {} has "
                                    "a file there now",
                                    target.string(), action.from.string()),
                        "move it away, or let --force move it to .podctl/replaced"};
        task.move_aside(target);
    }
}

}  // namespace

void require_source(const fs::path& from) {
    if (fs::is_directory(from)) return;
    if (fs::is_regular_file(from)) {
        if (fs::is_symlink(fs::symlink_status(from)))
            throw Error{ErrorKind::template_, fmt::format("{}: is a link", from.string()),
                        "name the file itself in custom_nodes[].path"};
        if (from.extension() == ".py") return;
        throw Error{ErrorKind::template_,
                    fmt::format("{}: ComfyUI loads folders and single .py files", from.string()),
                    "correct custom_nodes[].path"};
    }
    throw Error{ErrorKind::not_found, fmt::format("{}: no such folder", from.string()),
                "correct custom_nodes[].path; it is relative to the volume's mount"};
}

Look look(const plan::CopyNode& action, const Task& task) {
    using plan::Change;
    if (!fs::exists(action.path) || !fs::exists(action.from) ||
        fs::is_directory(action.path) != fs::is_directory(action.from)) {
        return {.change = Change::create, .reason = "from " + action.from.string()};
    }
    if (const auto foreign = other_owner(action.path, task.context.places))
        return {.change = Change::change, .reason = foreign->brief()};
    // What was copied before its owner was looked at is not run either.
    if (const auto foreign = other_owner(action.from, task.context.places))
        return {.change = Change::change, .reason = "its source: " + foreign->brief()};
    const Manifest source = list_files(action.from);
    const Manifest copied = facts_in<CopyFacts>(task.record).files;
    std::size_t different = 0;
    for (const auto& [name, stamp] : source) {
        if (stamp_of(within(action.path, name)) != stamp) ++different;
    }
    for (const auto& [name, stamp] : copied) {
        if (!source.contains(name) && stamp_of(within(action.path, name))) ++different;
    }
    if (different == 0 && task.record)
        return {.change = Change::keep, .reason = "the same as its source"};
    // What podctl copied is known by the record alone, once the source changes.
    if (different == 0) return {.change = Change::change, .reason = "the copy is not known yet"};
    const auto by_hand = find_changed_by_hand(action, source, copied);
    if (task.record && !by_hand.empty() && !task.context.options.force) {
        return {.change = Change::keep,
                .reason = "changed by hand",
                .notice = fmt::format(
                    "{}: {} was changed by hand, so the pack is not copied again; --force does",
                    action.path.string(), by_hand.front())};
    }
    return {.change = Change::change, .reason = fmt::format("{} files differ", different)};
}

Outcome perform(const plan::CopyNode& action, const Task& task) {
    require_source(action.from);
    if (fs::is_directory(action.from))
        refuse_other_owners(action.from, "custom_nodes[].path", task.context.places);
    else
        refuse_other_owner_of_file(action.from, "custom_nodes[].path", task.context.places);
    clear_other_owners(action.path, task);
    clear_other_kind(action, task);
    const Manifest source = list_files(action.from);
    const Manifest copied = facts_in<CopyFacts>(task.record).files;
    // As a folder looks where a disk is to be mounted.
    if (source.empty() && !copied.empty() && !task.context.options.force)
        throw Error{ErrorKind::conflict,
                    fmt::format("{} is empty, and was copied from before", action.from.string()),
                    "is it on a volume that is not mounted? --force empties the copy, too"};
    const auto by_hand = find_changed_by_hand(action, source, copied);
    if (!by_hand.empty() && !task.context.options.force) {
        throw Error{
            ErrorKind::conflict,
            fmt::format("{} is there already and differs from {}",
                        within(action.path, by_hand.front()).string(), action.from.string()),
            "move it away, or let --force move it to .podctl/replaced"};
    }
    for (const auto& folder : folders_of(source))
        remove_abandoned(action.path / folder);
    clear_folders_of_users(action, source, copied, task);
    // A file may have become a folder, or the other way round.
    bool changed = remove_what_is_gone(action, source, copied, Gone::in_the_way);
    std::uint64_t done = 0;
    for (const auto& [name, stamp] : source) {
        if (task.stop.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
        const fs::path target = within(action.path, name);
        if (stamp_of(target) != stamp) {
            if (std::find(by_hand.begin(), by_hand.end(), name) != by_hand.end()) {
                task.move_aside(target);
            }
            copy_with_times(within(action.from, name), target);
            changed = true;
        }
        task.progress(++done, source.size(), "files");
    }
    changed |= remove_what_is_gone(action, source, copied, Gone::rest);
    // The user's own, which the template only names.
    std::error_code failed;
    const bool in_place = fs::equivalent(action.from, action.path, failed);
    return {.changed = changed, .facts = to_facts(CopyFacts{source, in_place})};
}

}  // namespace podctl::run

#include "unpack_folder.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/shorten.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace podctl::download {
namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& what) {
    throw Error{ErrorKind::integrity,
                fmt::format("archive entry \"{}\": {}", shorten_middle(name), what),
                "nothing of the archive is used; check where it comes from"};
}

// A path of the target and one of these together stay below PATH_MAX (4,096), for every tool that
// comes after.
constexpr std::size_t max_path = 1024;
constexpr std::size_t max_depth = 64;
constexpr std::size_t max_name = 255;  // NAME_MAX of every file system that matters

bool has_control_characters(const std::string& name) {
    return std::ranges::any_of(name, [](char c) { return (c >= 0 && c < ' ') || c == 127; });
}

// .git, .netrc, .env, .ssh, .pip, .condarc: a name that begins with a dot is one that programs look
// for by themselves. Three are none of these: what macOS adds to a zip, and git's empty file.
bool acts_by_its_name(const std::string& part) {
    return part.size() > 1 && part.front() == '.' && !part.starts_with("._") &&
           part != ".DS_Store" && part != ".gitkeep";
}

Fd open_folder(int parent, const std::string& name) {
    return Fd{::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
}

Fd open_root(const std::filesystem::path& path) {
    const Fd folder = open_folder_beneath(path, Missing::fail);
    return folder ? reopen(folder, O_RDONLY | O_DIRECTORY) : Fd{};
}

}  // namespace

std::string join(const std::vector<std::string>& parts) {
    std::string path;
    for (const auto& part : parts)
        path += (path.empty() ? "" : "/") + part;
    return path;
}

UnpackFolder::UnpackFolder(const std::filesystem::path& path, DotNames dot_names)
    : path_(path), dot_names_(dot_names), root_(open_root(path)) {
    if (!root_) throw system_error(fmt::format("opening {}", path.string()), errno);
}

std::vector<std::string> UnpackFolder::checked_parts(const std::string& name) const {
    if (has_control_characters(name)) refuse("(not printable)", "control characters in its name");
    if (name.size() > max_path) refuse(name, fmt::format("longer than {} bytes", max_path));
    if (name.empty() || name.front() == '/') refuse(name, "an absolute name");
    if (name.find('\\') != std::string::npos) refuse(name, "a backslash in its name");
    std::vector<std::string> parts;
    for (auto& part : split(name, '/')) {
        if (part == "..") refuse(name, "leaves the folder");
        if (part.size() > max_name) refuse(part, fmt::format("longer than {} bytes", max_name));
        if (dot_names_ == DotNames::refused && acts_by_its_name(part))
            refuse(name, "a hidden name: programs read such files without being asked to");
        if (!part.empty() && part != ".") parts.push_back(std::move(part));
    }
    if (parts.size() > max_depth) refuse(name, fmt::format("more than {} folders deep", max_depth));
    return parts;
}

std::string UnpackFolder::place_of(const std::vector<std::string>& parts) const {
    return shorten_middle((path_ / join(parts)).string());
}

// A name makes every folder on its way: few entries could make millions.
void UnpackFolder::count_made() {
    if (++made_ <= max_archive_entries) return;
    throw Error{ErrorKind::integrity,
                fmt::format("{}: more than {} files and folders", shorten_middle(path_.string()),
                            max_archive_entries),
                "nothing of the archive is used; check where it comes from"};
}

// Makes the folders on the way. O_NOFOLLOW: a link that the archive brought before is no folder.
Fd UnpackFolder::open_parent(const std::vector<std::string>& parts) {
    Fd folder{::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0)};
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        if (::mkdirat(folder.get(), parts[i].c_str(), 0755) == 0)
            count_made();
        else if (errno != EEXIST)
            throw system_error("creating " + place_of(parts), errno);
        Fd next = open_folder(folder.get(), parts[i]);
        if (!next && (errno == ELOOP || errno == ENOTDIR))
            refuse(join(parts), "goes through a link or a file");
        if (!next) throw system_error("opening " + place_of(parts), errno);
        folder = std::move(next);
    }
    return folder;
}

void UnpackFolder::clear_place(int parent, const std::vector<std::string>& parts) {
    if (::unlinkat(parent, parts.back().c_str(), 0) == 0) {
        files_.erase(join(parts));
        return;
    }
    if (errno == EISDIR) refuse(join(parts), "a file in place of a folder");
    if (errno != ENOENT) throw system_error("replacing " + place_of(parts), errno);
}

void UnpackFolder::add_folder(const std::vector<std::string>& parts) {
    const Fd parent = open_parent(parts);
    if (::mkdirat(parent.get(), parts.back().c_str(), 0755) == 0) return count_made();
    if (errno != EEXIST) throw system_error("creating " + place_of(parts), errno);
    if (!open_folder(parent.get(), parts.back()))
        refuse(join(parts), "a folder in place of a file");
}

Fd UnpackFolder::create_file(const std::vector<std::string>& parts, unsigned mode) {
    const Fd parent = open_parent(parts);
    clear_place(parent.get(), parts);
    Fd file{::openat(parent.get(), parts.back().c_str(),
                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)};
    if (!file) throw system_error("creating " + place_of(parts), errno);
    count_made();
    files_[join(parts)] = 0;
    return file;
}

void UnpackFolder::add_symlink(const std::vector<std::string>& parts, const std::string& target) {
    if (target.empty() || target.front() == '/') refuse(join(parts), "a link to an absolute place");
    if (has_control_characters(target)) refuse(join(parts), "control characters in its target");
    // .. only at the start, and no further up than the folder: behind the name of another link, it
    // would mean that link's target's parent.
    std::size_t up = 0;
    bool down = false;
    for (const auto& part : split(target, '/')) {
        if (part.empty() || part == ".") continue;
        if (part == ".." && (down || ++up >= parts.size()))
            refuse(join(parts), "a link that leaves the folder");
        down |= part != "..";
    }
    const Fd parent = open_parent(parts);
    clear_place(parent.get(), parts);
    if (::symlinkat(target.c_str(), parent.get(), parts.back().c_str()) != 0)
        throw system_error("linking " + place_of(parts), errno);
}

void UnpackFolder::add_hard_link(const std::vector<std::string>& parts,
                                 const std::vector<std::string>& target) {
    const auto known = files_.find(join(target));
    if (known == files_.end()) refuse(join(parts), "a hard link to no file of the archive");
    if (parts == target) return;
    const auto size = known->second;
    const Fd from = open_parent(target);
    const Fd to = open_parent(parts);
    clear_place(to.get(), parts);
    if (::linkat(from.get(), target.back().c_str(), to.get(), parts.back().c_str(), 0) != 0)
        throw system_error("linking " + place_of(parts), errno);
    count_made();
    files_[join(parts)] = size;
}

void UnpackFolder::set_size(const std::vector<std::string>& parts, std::uint64_t size) {
    files_[join(parts)] = size;
}

std::vector<UnpackedFile> UnpackFolder::files() const {
    std::vector<UnpackedFile> list;
    for (const auto& [path, size] : files_)
        list.push_back({.path = path, .size = size});
    return list;
}

void UnpackFolder::sync() {
    if (::syncfs(root_.get()) != 0)
        throw system_error(fmt::format("syncing {}", path_.string()), errno);
}

}  // namespace podctl::download

#include "unpack_folder.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace podctl::fetch {
namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& what) {
    throw Error{ErrorKind::integrity, fmt::format("archive entry \"{}\": {}", name, what),
                "nothing of the archive is used; check where it comes from"};
}

bool has_control_characters(const std::string& name) {
    return std::ranges::any_of(name, [](char c) { return (c >= 0 && c < ' ') || c == 127; });
}

Fd open_folder(int parent, const std::string& name) {
    return Fd{::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
}

}  // namespace

std::string join(const std::vector<std::string>& parts) {
    std::string path;
    for (const auto& part : parts)
        path += (path.empty() ? "" : "/") + part;
    return path;
}

UnpackFolder::UnpackFolder(const std::filesystem::path& path)
    : path_(path), root_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (!root_) throw system_error(fmt::format("opening {}", path.string()), errno);
}

std::vector<std::string> UnpackFolder::checked_parts(const std::string& name) const {
    if (has_control_characters(name)) refuse("(not printable)", "control characters in its name");
    if (name.empty() || name.front() == '/') refuse(name, "an absolute name");
    if (name.find('\\') != std::string::npos) refuse(name, "a backslash in its name");
    std::vector<std::string> parts;
    for (auto& part : split(name, '/')) {
        if (part == "..") refuse(name, "leaves the folder");
        if (!part.empty() && part != ".") parts.push_back(std::move(part));
    }
    return parts;
}

// Makes the folders on the way. O_NOFOLLOW: a link that the archive brought before is no folder.
Fd UnpackFolder::open_parent(const std::vector<std::string>& parts) const {
    Fd folder{::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0)};
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        if (::mkdirat(folder.get(), parts[i].c_str(), 0755) != 0 && errno != EEXIST)
            throw system_error(fmt::format("creating {}", (path_ / join(parts)).string()), errno);
        Fd next = open_folder(folder.get(), parts[i]);
        if (!next && (errno == ELOOP || errno == ENOTDIR))
            refuse(join(parts), "goes through a link or a file");
        if (!next)
            throw system_error(fmt::format("opening {}", (path_ / join(parts)).string()), errno);
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
    if (errno != ENOENT)
        throw system_error(fmt::format("replacing {}", (path_ / join(parts)).string()), errno);
}

void UnpackFolder::add_folder(const std::vector<std::string>& parts) {
    const Fd parent = open_parent(parts);
    if (::mkdirat(parent.get(), parts.back().c_str(), 0755) == 0) return;
    if (errno != EEXIST)
        throw system_error(fmt::format("creating {}", (path_ / join(parts)).string()), errno);
    if (!open_folder(parent.get(), parts.back()))
        refuse(join(parts), "a folder in place of a file");
}

Fd UnpackFolder::create_file(const std::vector<std::string>& parts, unsigned mode) {
    const Fd parent = open_parent(parts);
    clear_place(parent.get(), parts);
    Fd file{::openat(parent.get(), parts.back().c_str(),
                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)};
    if (!file)
        throw system_error(fmt::format("creating {}", (path_ / join(parts)).string()), errno);
    files_.insert(join(parts));
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
        throw system_error(fmt::format("linking {}", (path_ / join(parts)).string()), errno);
}

void UnpackFolder::add_hard_link(const std::vector<std::string>& parts,
                                 const std::vector<std::string>& target) {
    if (!files_.contains(join(target)))
        refuse(join(parts), "a hard link to no file of the archive");
    if (parts == target) return;
    const Fd from = open_parent(target);
    const Fd to = open_parent(parts);
    clear_place(to.get(), parts);
    if (::linkat(from.get(), target.back().c_str(), to.get(), parts.back().c_str(), 0) != 0)
        throw system_error(fmt::format("linking {}", (path_ / join(parts)).string()), errno);
    files_.insert(join(parts));
}

void UnpackFolder::sync() {
    if (::syncfs(root_.get()) != 0)
        throw system_error(fmt::format("syncing {}", path_.string()), errno);
}

}  // namespace podctl::fetch

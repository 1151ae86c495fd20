#include "snapshot_folder.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/shorten.hpp"

#include "environment_mark.hpp"
#include "snapshot_part_file.hpp"
#include "snapshot_tree.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace podctl::python {

namespace {

constexpr unsigned permissions = 0777;

Fd open_inner_folder(int folder, const std::string& name) {
    return Fd{::openat(folder, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
}

}  // namespace

MemberFolder::MemberFolder(const std::filesystem::path& root, std::filesystem::path source,
                           unsigned umask)
    : path_(root),
      source_(std::move(source)),
      umask_(umask),
      root_(open_folder_beneath(root, Missing::fail)) {
    if (!root_) throw system_error("cannot open " + root.string(), errno);
}

void MemberFolder::refuse(const std::string& name, const std::string& what) const {
    throw unusable_part(source_, fmt::format("its member \"{}\" {}", shorten_middle(name), what));
}

void MemberFolder::fail(const std::string& name, int error_number) const {
    if (error_number == EEXIST) refuse(name, "comes twice");
    if (error_number == ELOOP || error_number == ENOTDIR)
        refuse(name, "goes through a link or a file");
    if (error_number == ENAMETOOLONG) refuse(name, "has too long a name");
    throw system_error("cannot make " + shorten_middle((path_ / name).string()), error_number);
}

void MemberFolder::check(const std::string& name) const {
    if (name.empty() || name.size() >= PATH_MAX) refuse(name, "has no such name");
    const auto parts = split(name, '/');
    if (parts.size() > deepest_member + 1) refuse(name, "lies too deep");
    for (const auto& part : parts)
        if (part.empty() || part == "." || part == "..") refuse(name, "leaves the environment");
    // It would count as finished before it is.
    if (is_of_mark(parts.front())) refuse(name, "is podctl's own mark");
}

Fd MemberFolder::enter(int folder, const std::string& part, const std::string& name) const {
    Fd inner = open_inner_folder(folder, part);
    if (inner) return inner;
    if (errno != ENOENT) fail(name, errno);
    if (::mkdirat(folder, part.c_str(), 0755) != 0 && errno != EEXIST) fail(name, errno);
    inner = open_inner_folder(folder, part);
    if (!inner) fail(name, errno);
    return inner;
}

MemberFolder::Target MemberFolder::parent_of(const std::string& name) {
    const auto slash = name.rfind('/');
    if (slash == name.npos) return {root_.get(), name};
    const std::string folder = name.substr(0, slash);
    if (!last_folder_ || folder != last_) {
        Fd inner;
        for (const auto& part : split(folder, '/'))
            inner = enter(inner ? inner.get() : root_.get(), part, name);
        last_folder_ = std::move(inner);
        last_ = folder;
    }
    return {last_folder_.get(), name.substr(slash + 1)};
}

void MemberFolder::add_folder(const std::string& name) {
    const Target target = parent_of(name);
    enter(target.folder, target.name, name);
}

void MemberFolder::add_link(const std::string& name, const std::string& link,
                            const MemberStatus& status) {
    if (link.empty()) refuse(name, "is a link to nowhere");
    const Target target = parent_of(name);
    if (::symlinkat(link.c_str(), target.folder, target.name.c_str()) != 0) fail(name, errno);
    const timespec times[] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, status.mtime};
    // Not every file system keeps the time of a link.
    static_cast<void>(::utimensat(target.folder, target.name.c_str(), times, AT_SYMLINK_NOFOLLOW));
}

Fd MemberFolder::create_file(const std::string& name, const MemberStatus& status) {
    const Target target = parent_of(name);
    const unsigned mode = status.mode & permissions;
    Fd file{::openat(target.folder, target.name.c_str(),
                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)};
    if (!file) fail(name, errno);
    if ((mode & umask_) != 0 && ::fchmod(file.get(), mode) != 0) fail(name, errno);
    return file;
}

void MemberFolder::write(const Fd& file, std::string_view bytes, const std::string& name) const {
    write_all(file.get(), bytes, path_ / name);
}

void MemberFolder::set_time(const Fd& file, const MemberStatus& status,
                            const std::string& name) const {
    const timespec times[] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, status.mtime};
    if (::futimens(file.get(), times) != 0) fail(name, errno);
}

void MemberFolder::set_status(const std::string& name, const MemberStatus& status) {
    const Target target = parent_of(name);
    const Fd folder{::openat(target.folder, target.name.c_str(),
                             O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!folder || ::fchmod(folder.get(), status.mode & permissions) != 0) fail(name, errno);
    set_time(folder, status, name);
}

}  // namespace podctl::python

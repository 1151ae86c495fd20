#include "store_files.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/trust.hpp"

#include "store_index.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

namespace podctl::download {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t copied_at_once = 4u << 20;

fs::path open_file_path(int file) {
    return fs::path{"/proc/self/fd"} / std::to_string(file);
}

FileIdentity identity_of_open(const Fd& file, const fs::path& shown) {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0)
        throw system_error("looking at " + shown.string(), errno);
    return identity_of(status);
}

// sha256/ab, if nobody else can put anything there. Each folder is opened from the one before.
Fd open_shelf(const Store& store, const fs::path& shelf, std::string& fault) {
    Fd all = open_folder_beneath(shelf.parent_path(), Missing::fail);
    if (!all) return {};
    Fd folder = open_folder_beneath(shelf, all);
    if (!folder) return {};
    for (const Fd* it : {&all, &folder}) {
        if (!others_may_add_in(it->get())) continue;
        fault = fmt::format("lies in a folder that other users can write to (in {})",
                            store.path().string());
        return {};
    }
    return folder;
}

}  // namespace

FileStamp OpenedFile::stamp() const {
    return {
        .size = size(),
        .mtime_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

FileIdentity identity_of(const struct stat& status) {
    return {.device = status.st_dev, .inode = status.st_ino};
}

OpenedFile open_stored(const Store& store, const std::string& sha256) {
    const auto path = store.path_of(sha256);
    OpenedFile opened;
    const Fd folder = open_shelf(store, path.parent_path(), opened.fault);
    if (!folder) return opened;
    Fd file{::openat(folder.get(), path.filename().c_str(),
                     O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    if (!file && errno == ENOENT) return opened;
    if (!file && errno == ELOOP)
        opened.fault = "is a link";
    else if (!file)
        opened.fault = fmt::format("cannot be opened: {}", std::strerror(errno));
    else if (::fstat(file.get(), &opened.status) != 0)
        throw system_error("looking at " + path.string(), errno);
    else if (!S_ISREG(opened.status.st_mode))
        opened.fault = "is no regular file";
    else if (!may_be_believed(opened.status, folder.get()))
        opened.fault = is_trusted_owner(opened.status.st_uid, folder.get())
                           ? "can be written by other users"
                           : "belongs to " + user_name(opened.status.st_uid);
    if (opened.fault.empty()) opened.file = std::move(file);
    return opened;
}

NewName::NewName(const Place& place) : place_(place) {
    unsigned long long number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number)
        throw system_error("cannot make a name", errno);
    // As an AtomicFile has it, so that remove_abandoned() finds what a kill has left: six letters.
    name_ = fmt::format(".{}.podctl-{:06x}", place.name.substr(0, 255 - 16), number & 0xffffffu);
}

NewName::~NewName() {
    ::unlinkat(folder(), c_str(), 0);
}

void NewName::give(const fs::path& shown) const {
    // Between two names of one file rename(2) does nothing; the destructor removes this one.
    if (::renameat(folder(), c_str(), folder(), place_.name.c_str()) != 0)
        throw system_error("cannot write " + shown.string(), errno);
    sync_folder(shown.parent_path());
}

bool add_name(int file, int folder, const char* name) {
    return ::linkat(AT_FDCWD, open_file_path(file).c_str(), folder, name, AT_SYMLINK_FOLLOW) == 0;
}

bool is_no_link(int error_number) {
    switch (error_number) {
        case EXDEV:   // another file system, or another mount of it
        case EPERM:   // a file system without links, or fs.protected_hardlinks
        case EACCES:  // the same, of some
        case EMLINK:  // as many as it can have
        case EOPNOTSUPP:
        case ENOSYS:
        case EROFS:
            return true;
        default:
            return false;
    }
}

std::optional<FileIdentity> share_blocks(int file, const NewName& name, const fs::path& shown) {
    const Fd made{
        ::openat(name.folder(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644)};
    if (!made) throw system_error("cannot create " + shown.string(), errno);
    if (::ioctl(made.get(), FICLONE, file) != 0) {
        ::unlinkat(name.folder(), name.c_str(), 0);
        return std::nullopt;
    }
    if (::fsync(made.get()) != 0 && errno != EINVAL)
        throw system_error("cannot write " + shown.string(), errno);
    return identity_of_open(made, shown);
}

FileIdentity copy_file(int file, const NewName& name, mode_t mode, const std::string& sha256,
                       const fs::path& shown, const std::stop_token& stop) {
    const Fd made{
        ::openat(name.folder(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (!made) throw system_error("cannot create " + shown.string(), errno);
    std::vector<char> block(copied_at_once);
    Sha256 digest;
    for (std::uint64_t at = 0;;) {
        if (stop.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
        const auto size = read_at(file, at, block, shown);
        if (size == 0) break;
        digest.update(block.data(), size);
        write_all(made.get(), {block.data(), size}, shown);
        at += size;
    }
    if (const auto got = digest.finish(); got != sha256)
        throw Error{ErrorKind::integrity,
                    fmt::format("{}: what was to be copied there has the sha256 {}, not {}",
                                shown.string(), got, sha256),
                    "`podctl store check --repair` finds what is damaged"};
    static_cast<void>(::fchmod(made.get(), mode));
    if (::fsync(made.get()) != 0 && errno != EINVAL)
        throw system_error("cannot write " + shown.string(), errno);
    return identity_of_open(made, shown);
}

}  // namespace podctl::download

#include "podctl/run/lock.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/trust.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace podctl::run {
namespace {

// A lock that others may open is one that they may hold, so it is this user's alone; one that is
// somebody else's is made anew.
Fd open_lock(const std::filesystem::path& path) {
    const Place place = place_beneath(path, Missing::fail);
    if (!place.folder) throw system_error("cannot open " + path.string(), errno);
    const auto open = [&](int more) {
        return Fd{::openat(place.folder.get(), place.name.c_str(),
                           O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | more, 0600)};
    };
    Fd lock = open(0);
    struct stat status {};
    const bool is_ours = lock && ::fstat(lock.get(), &status) == 0 && S_ISREG(status.st_mode) &&
                         is_own(status.st_uid, place.folder.get());
    if (!is_ours && (lock || errno == ELOOP || errno == EACCES || errno == ENXIO)) {
        if (::unlinkat(place.folder.get(), place.name.c_str(), 0) != 0 && errno != ENOENT)
            throw system_error("cannot replace " + path.string(), errno);
        lock = open(O_EXCL);
    }
    if (!lock) throw system_error("cannot open " + path.string(), errno);
    // Of an earlier version. Where permissions cannot be changed, they keep nobody out.
    static_cast<void>(::fchmod(lock.get(), 0600));
    return lock;
}

std::string holder_in(const Fd& lock, const std::filesystem::path& path) {
    std::array<char, 32> text{};
    const auto size = read_at(lock.get(), 0, text, path);
    return std::string{trim({text.data(), size})};
}

Error held_by(const std::string& holder, const std::filesystem::path& root) {
    return {ErrorKind::locked,
            fmt::format("another podctl{} holds {}",
                        holder.empty() ? "" : fmt::format(" (pid {})", holder), root.string()),
            "wait until it ends, or stop it; --root names another root"};
}

}  // namespace

RootLock::RootLock(const std::filesystem::path& path, For what) {
    const auto root = path.parent_path().parent_path();
    try {
        create_folders(path.parent_path());
    } catch (const Error& error) {
        throw Error{ErrorKind::preflight, error.message(),
                    "mount the volume there, or name another place with --root"};
    }
    fd_ = open_lock(path);
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) throw system_error("cannot lock " + path.string(), errno);
        throw held_by(holder_in(fd_, path), root);
    }
    // Before the look: of two that got a lock file each, none misses the other.
    if (what == For::pod) announcement_.emplace(root);
    // One whose lock file was taken away. Of this user alone: nobody else can keep podctl out.
    if (const auto other = OwnProcess::find_announced(root))
        throw held_by(std::to_string(other->pid()), root);
    // Only for the message above: the lock itself is what counts.
    if (::ftruncate(fd_.get(), 0) != 0) throw system_error("cannot write " + path.string(), errno);
    write_all(fd_.get(), fmt::format("{}\n", ::getpid()), path);
}

}  // namespace podctl::run

#include "podctl/run/lock.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

namespace podctl::run {

RootLock::RootLock(const std::filesystem::path& path) {
    try {
        create_folders(path.parent_path());
    } catch (const Error& error) {
        throw Error{ErrorKind::preflight, error.message(),
                    "mount the volume there, or name another place with --root"};
    }
    fd_ = Fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644)};
    if (!fd_) throw system_error("cannot open " + path.string(), errno);
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) throw system_error("cannot lock " + path.string(), errno);
        const std::string holder{trim(read_file_if_exists(path).value_or(""))};
        throw Error{ErrorKind::locked,
                    fmt::format("another podctl{} holds {}",
                                holder.empty() ? "" : fmt::format(" (pid {})", holder),
                                path.parent_path().parent_path().string()),
                    "wait until it ends, or stop it; --root names another root"};
    }
    // Only for the message above: the lock itself is what counts.
    if (::ftruncate(fd_.get(), 0) != 0) throw system_error("cannot write " + path.string(), errno);
    write_all(fd_.get(), fmt::format("{}\n", ::getpid()), path);
}

}  // namespace podctl::run

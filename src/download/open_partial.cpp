#include "open_partial.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/trust.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace podctl::download {
namespace {

// What is no regular file and the user's own is there on purpose.
void refuse_users_own(const Place& place, const std::filesystem::path& path) {
    struct stat status {};
    const bool is_there =
        ::fstatat(place.folder.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (!is_there || S_ISREG(status.st_mode) || !is_own(status.st_uid, place.folder.get())) return;
    throw Error{ErrorKind::io, fmt::format("{}: not a regular file", path.string()),
                "move it away; partial downloads gather there"};
}

// Other users may put something there where they may write to the folder too. A file of theirs, one
// that they may write, or one that has another name elsewhere is made anew: they could change what
// was verified.
Fd open_trusted(const Place& place, const std::filesystem::path& path) {
    const auto open = [&](int more) {
        return Fd{::openat(place.folder.get(), place.name.c_str(),
                           O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | more, 0600)};
    };
    Fd fd = open(0);
    // EACCES: the kernel's protected_regular, in a sticky folder. ENXIO: a socket.
    if (!fd && errno != ELOOP && errno != EACCES && errno != ENXIO && errno != EISDIR)
        throw system_error(fmt::format("opening {}", path.string()), errno);
    if (fd && reason_to_distrust_file(fd.get(), place.folder.get()).empty()) return fd;
    refuse_users_own(place, path);
    if (::unlinkat(place.folder.get(), place.name.c_str(), 0) != 0 && errno != ENOENT)
        throw Error{ErrorKind::conflict,
                    fmt::format("{} is not this user's alone, and cannot be replaced: {}",
                                path.string(), std::strerror(errno)),
                    "remove it, or name another folder; partial downloads gather there"};
    fd = open(O_EXCL);
    if (!fd) throw system_error(fmt::format("opening {}", path.string()), errno);
    return fd;
}

}  // namespace

Fd open_partial(const std::filesystem::path& path) {
    if (path.has_parent_path()) create_folders(path.parent_path());
    const Place place = place_beneath(path, Missing::fail);
    if (!place.folder) throw system_error(fmt::format("opening {}", path.string()), errno);
    Fd fd = open_trusted(place, path);
    // Nobody reads what is not verified. Where permissions cannot be changed there are none.
    static_cast<void>(::fchmod(fd.get(), 0600));
    return fd;
}

}  // namespace podctl::download

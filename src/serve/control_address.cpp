#include "control_address.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

namespace podctl::serve {

SocketAddress in_folder(int folder) {
    SocketAddress result;
    result.address.sun_family = AF_UNIX;
    const auto path = fmt::format("/proc/self/fd/{}/{}", folder, socket_name);
    path.copy(result.address.sun_path, sizeof result.address.sun_path - 1);
    result.size = sizeof result.address;
    return result;
}

SocketAddress abstract(const std::string& name) {
    SocketAddress result;
    result.address.sun_family = AF_UNIX;
    const auto size = name.copy(result.address.sun_path + 1, sizeof result.address.sun_path - 1);
    result.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size);
    return result;
}

Fd open_folder(const std::filesystem::path& path) {
    Fd folder = open_folder_beneath(path, Missing::fail);
    if (!folder && errno != ENOENT && errno != ENOTDIR)
        throw system_error("cannot open " + path.string(), errno);
    return folder;
}

Peer peer_of(int socket) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
        throw system_error("cannot see who is at the other end of the control socket", errno);
    return {.pid = credentials.pid, .user = credentials.uid};
}

}  // namespace podctl::serve

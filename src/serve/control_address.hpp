#pragma once

#include "podctl/base/fd.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <string>

namespace podctl::serve {

// Where a pod's control socket is: <state>/podctl.sock. A socket's path may have 107 bytes only,
// so it is reached through a descriptor of its folder. A volume that cannot hold sockets (some
// network file systems) holds <state>/podctl.address instead, with a random name of the abstract
// namespace: that needs no folder, so it depends on no variable that an SSH session might lack,
// and its name cannot be taken beforehand.
constexpr const char* socket_name = "podctl.sock";
constexpr const char* address_name = "podctl.address";

struct SocketAddress {
    sockaddr_un address{};
    socklen_t size = 0;

    const sockaddr* generic() const { return reinterpret_cast<const sockaddr*>(&address); }
};
SocketAddress in_folder(int folder);
SocketAddress abstract(const std::string& name);

// For in_folder(); invalid: there is none. Throws Error{io}.
Fd open_folder(const std::filesystem::path& path);

// Who is at the other end.
struct Peer {
    pid_t pid = 0;
    uid_t user = 0;
};
// Throws Error{io}.
Peer peer_of(int socket);

}  // namespace podctl::serve

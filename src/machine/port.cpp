#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/names.hpp"
#include "podctl/machine/machine.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace podctl::machine {

namespace {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

SocketAddress socket_address(const std::string& address, std::uint16_t port) {
    SocketAddress result;
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
        std::memcpy(&result.storage, &v4, result.size = sizeof v4);
    } else if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
        std::memcpy(&result.storage, &v6, result.size = sizeof v6);
    } else {
        throw Error{
            ErrorKind::preflight, address + " is not an IP address to listen on",
            "use 0.0.0.0 for every IPv4 address of the machine, 127.0.0.1 for itself alone"};
    }
    return result;
}

// ComfyUI and others write "localhost" and "[::1]", and take an empty address for all.
std::string numeric(std::string_view address) {
    if (address.empty()) return "0.0.0.0";
    if (address == "localhost") return "127.0.0.1";
    if (address.starts_with('[') && address.ends_with(']'))
        address = address.substr(1, address.size() - 2);
    return std::string{address};
}

// Empty: the address or its port cannot be had.
Fd bound_socket(const SocketAddress& address) {
    const int family = address.storage.ss_family;
    Fd fd{::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!fd && errno == EAFNOSUPPORT) return {};  // a machine without IPv6
    if (!fd) throw system_error("cannot open a socket", errno);
    // As servers do: a connection in TIME_WAIT is no obstacle, a listener is. asyncio, which
    // ComfyUI is built on, keeps IPv6 sockets from taking the IPv4 port.
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    const auto* any = reinterpret_cast<const sockaddr*>(&address.storage);
    if (::bind(fd.get(), any, address.size) != 0) return {};
    return fd;
}

// ComfyUI's --listen takes a list.
std::vector<SocketAddress> socket_addresses(const std::string& list, std::uint16_t port) {
    std::vector<SocketAddress> addresses;
    for (const auto& one : split(list, ','))
        addresses.push_back(socket_address(numeric(trim(one)), port));
    return addresses;
}

}  // namespace

bool port_is_free(const std::string& address, std::uint16_t port) {
    return std::ranges::all_of(socket_addresses(address, port), [](const SocketAddress& one) {
        return static_cast<bool>(bound_socket(one));
    });
}

std::vector<Fd> listen_on(const std::string& address, std::uint16_t port) {
    std::vector<Fd> listeners;
    for (const auto& one : socket_addresses(address, port)) {
        Fd fd = bound_socket(one);
        // Another socket may be bound to the same port until one of them listens.
        if (!fd || ::listen(fd.get(), SOMAXCONN) != 0) return {};
        listeners.push_back(std::move(fd));
    }
    return listeners;
}

}  // namespace podctl::machine

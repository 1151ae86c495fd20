#include "support/relay.hpp"

#include "support/raw_server.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

namespace podctl::test {
namespace {

bool carry(int from, int to) {
    std::array<char, 65536> bytes{};
    const auto got = ::recv(from, bytes.data(), bytes.size(), 0);
    return got > 0 && RawConnection{to}.send({bytes.data(), static_cast<std::size_t>(got)});
}

}  // namespace

LoopbackConnection::LoopbackConnection(std::uint16_t port)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
    ::close(fd_);
    throw std::runtime_error("nobody listens at port " + std::to_string(port));
}

LoopbackConnection::~LoopbackConnection() {
    ::close(fd_);
}

void relay(int one, int other) {
    while (true) {
        std::array<pollfd, 2> ready{pollfd{one, POLLIN, 0}, pollfd{other, POLLIN, 0}};
        if (::poll(ready.data(), ready.size(), -1) < 0) return;
        if (ready[0].revents != 0 && !carry(one, other)) return;
        if (ready[1].revents != 0 && !carry(other, one)) return;
    }
}

}  // namespace podctl::test

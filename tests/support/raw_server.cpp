#include "support/raw_server.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <list>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace podctl::test {

std::string RawConnection::read_head() {
    std::string head;
    char byte = 0;
    while (!head.ends_with("\r\n\r\n") && ::recv(fd_, &byte, 1, 0) == 1)
        head += byte;
    return head;
}

bool RawConnection::read_to(std::string_view text) {
    std::string read;
    char byte = 0;
    while (!read.ends_with(text) && ::recv(fd_, &byte, 1, 0) == 1)
        read += byte;
    return read.ends_with(text);
}

bool RawConnection::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

void RawConnection::wait_until_gone() {
    char byte = 0;
    while (::recv(fd_, &byte, 1, 0) > 0) {
    }
}

struct RawServer::State {
    std::function<void(RawConnection&)> handler;
    int listener = -1;
    std::uint16_t port = 0;
    std::mutex mutex;
    bool ending = false;  // under mutex, as the next two
    std::list<int> open;  // closed at the end, so that no number is used twice
    std::list<std::jthread> workers;
    std::jthread acceptor;

    void accept_all() {
        while (true) {
            const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) return;
            const std::scoped_lock lock(mutex);
            open.push_back(fd);
            if (ending) return;
            workers.emplace_back([this, fd] {
                RawConnection connection{fd};
                handler(connection);
                ::shutdown(fd, SHUT_RDWR);
            });
        }
    }
};

RawServer::RawServer(std::function<void(RawConnection&)> handler)
    : state_(std::make_unique<State>()) {
    state_->handler = std::move(handler);
    state_->listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(state_->listener, generic, size) != 0 || ::listen(state_->listener, 64) != 0 ||
        ::getsockname(state_->listener, generic, &size) != 0)
        throw std::runtime_error("no port for a raw server");
    state_->port = ntohs(address.sin_port);
    state_->acceptor = std::jthread([this] { state_->accept_all(); });
}

RawServer::~RawServer() {
    {
        const std::scoped_lock lock(state_->mutex);
        state_->ending = true;
        for (const int fd : state_->open)
            ::shutdown(fd, SHUT_RDWR);
    }
    ::shutdown(state_->listener, SHUT_RDWR);
    state_->acceptor.join();
    state_->workers.clear();
    for (const int fd : state_->open)
        ::close(fd);
    ::close(state_->listener);
}

std::string RawServer::url(std::string_view path) const {
    return "http://127.0.0.1:" + std::to_string(state_->port) + std::string{path};
}

std::size_t RawServer::connections() const {
    const std::scoped_lock lock(state_->mutex);
    return state_->open.size();
}

}  // namespace podctl::test

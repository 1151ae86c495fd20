#include "interruptible_stream.hpp"

#include "podctl/base/host.hpp"
#include "podctl/base/wait.hpp"

#include "contact.hpp"
#include "library.hpp"

#include <fcntl.h>
#include <git2.h>
#include <git2/sys/errors.h>
#include <git2/sys/stream.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <new>
#include <string>

namespace podctl::git {
namespace {

constexpr std::chrono::milliseconds connect_timeout{15'000};  // for each address of the host
constexpr std::chrono::milliseconds idle_timeout{60'000};

// The first four members stand as in libgit2's own socket stream: its ssh transport reads the
// socket from there to hand it to libssh2.
struct SocketStream {
    git_stream parent;
    char* host;
    char* port;
    int socket;
    std::string host_text;
    std::string port_text;
    Contact* contact;
};

SocketStream& self(git_stream* stream) {
    return *reinterpret_cast<SocketStream*>(stream);
}

int fail(const std::string& message) {
    git_error_set_str(GIT_ERROR_NET, message.c_str());
    return -1;
}

int fail_out_of_reach(const SocketStream& stream) {
    fail(stream.host_text +
         ": a server on the internet leads into the networks around this machine");
    return GIT_ENOTFOUND;
}

int fail_with(const std::string& message, int error_number) {
    return fail(message + ": " + std::strerror(error_number));
}

// 0, or a negative error of libgit2.
int wait_for(int socket, Awaited::Until until, std::chrono::milliseconds timeout,
             const char* doing) {
    const Contact* contact = Contact::current();
    std::array awaited{Awaited{.fd = socket, .until = until},
                       Awaited{.fd = contact == nullptr ? -1 : contact->stop_event()}};
    const Deadline deadline = std::chrono::steady_clock::now() + timeout;
    try {
        while (!wait_for_any(awaited, deadline)) {
            if (std::chrono::steady_clock::now() < *deadline) continue;
            fail(std::string(doing) + ": timed out");
            return GIT_TIMEOUT;
        }
    } catch (const Error& error) {
        return fail(error.message());
    }
    if (awaited[1].is_ready) {
        fail("interrupted");
        return GIT_EUSER;
    }
    return 0;
}

int connect_to(const addrinfo& address, Fd& socket) {
    socket = Fd{::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                         address.ai_protocol)};
    if (!socket) return fail_with("cannot create a socket", errno);
    if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) return 0;
    if (errno != EINPROGRESS) return fail_with("cannot connect", errno);
    const int waited =
        wait_for(socket.get(), Awaited::Until::writable, connect_timeout, "cannot connect");
    if (waited < 0) return waited;
    int error_number = 0;
    socklen_t size = sizeof error_number;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error_number, &size);
    return error_number == 0 ? 0 : fail_with("cannot connect", error_number);
}

// libgit2 is C: nothing may be thrown through it.
int stream_connect(git_stream* stream) try {
    SocketStream& self_stream = self(stream);
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_family = AF_UNSPEC;
    addrinfo* found = nullptr;
    if (const int error = ::getaddrinfo(self_stream.host, self_stream.port, &wanted, &found);
        error != 0)
        return fail("cannot resolve " + self_stream.host_text + ": " + ::gai_strerror(error));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner{found, &::freeaddrinfo};

    int code = fail("no address for " + self_stream.host_text);
    bool is_out_of_reach = false;
    for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
        const bool is_internal = is_internal_address(*address->ai_addr);
        if (is_internal && self_stream.contact->reach() == Reach::internet) {
            is_out_of_reach = true;
            continue;
        }
        Fd socket;
        code = connect_to(*address, socket);
        if (code == GIT_EUSER) return code;
        if (code < 0) continue;
        const int on = 1;
        ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        self_stream.socket = socket.release();
        self_stream.contact->from_internet = !is_internal;
        self_stream.contact->watch(self_stream.socket);
        return 0;
    }
    if (is_out_of_reach) return fail_out_of_reach(self_stream);
    const std::string reason = git_error_last()->message;
    fail(self_stream.host_text + ":" + self_stream.port_text + ": " + reason);
    return code;
} catch (const std::bad_alloc&) {
    git_error_set_oom();
    return -1;
}

ssize_t stream_read(git_stream* stream, void* data, std::size_t size) {
    const int socket = self(stream).socket;
    while (true) {
        const ssize_t received = ::recv(socket, data, size, 0);
        if (received >= 0) return received;
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return fail_with("cannot read from the server", errno);
        const int waited =
            wait_for(socket, Awaited::Until::readable, idle_timeout, "no answer from the server");
        if (waited < 0) return waited;
    }
}

ssize_t stream_write(git_stream* stream, const char* data, std::size_t size, int /*flags*/) {
    const int socket = self(stream).socket;
    while (true) {
        const ssize_t sent = ::send(socket, data, size, MSG_NOSIGNAL);
        if (sent >= 0) return sent;
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return fail_with("cannot send to the server", errno);
        const int waited =
            wait_for(socket, Awaited::Until::writable, idle_timeout, "the server takes no data");
        if (waited < 0) return waited;
    }
}

int stream_close(git_stream* stream) {
    if (self(stream).socket < 0) return 0;
    self(stream).contact->forget(self(stream).socket);
    Fd{self(stream).socket}.close();
    self(stream).socket = -1;
    return 0;
}

void stream_free(git_stream* stream) {
    stream_close(stream);
    delete &self(stream);
}

// Every connection of this room is one of a session, which outlives it.
int stream_new(git_stream** out, const char* host, const char* port) try {
    auto stream = std::make_unique<SocketStream>();
    stream->contact = Contact::current();
    if (stream->contact == nullptr) return fail("a connection without a session");
    stream->host_text = host;
    stream->port_text = port;
    stream->host = stream->host_text.data();
    stream->port = stream->port_text.data();
    stream->socket = -1;
    stream->parent.version = GIT_STREAM_VERSION;
    stream->parent.connect = &stream_connect;
    stream->parent.read = &stream_read;
    stream->parent.write = &stream_write;
    stream->parent.close = &stream_close;
    stream->parent.free = &stream_free;
    *out = &stream.release()->parent;
    return 0;
} catch (const std::bad_alloc&) {
    git_error_set_oom();
    return -1;
}

}  // namespace

void register_interruptible_stream() {
    git_stream_registration registration{};
    registration.version = GIT_STREAM_VERSION;
    registration.init = &stream_new;
    check(git_stream_register(GIT_STREAM_STANDARD, &registration), "libgit2's streams");
}

}  // namespace podctl::git

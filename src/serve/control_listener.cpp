#include "control_listener.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "control_address.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace podctl::serve {

namespace {

constexpr int backlog = 16;

Fd make_listening_socket() {
    Fd made{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!made) throw system_error("cannot make the control socket", errno);
    return made;
}

// Before bind(2), which takes the new file's mode from here: at no time is it open to others.
Fd make_private_socket() {
    Fd made = make_listening_socket();
    if (::fchmod(made.get(), 0600) != 0)
        throw system_error("cannot make the control socket", errno);
    return made;
}

bool bind_to(int socket, const SocketAddress& address) {
    return ::bind(socket, address.generic(), address.size) == 0;
}

// Only a socket is removed: anything else there is not podctl's.
bool remove_stale(int folder) {
    struct stat found {};
    return ::fstatat(folder, socket_name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISSOCK(found.st_mode) && ::unlinkat(folder, socket_name, 0) == 0;
}

std::string random_name() {
    std::array<unsigned char, 16> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        throw system_error("cannot name the control socket", errno);
    return fmt::format("podctl-{:02x}", fmt::join(bytes, ""));
}

}  // namespace

ControlListener::ControlListener(const std::filesystem::path& state)
    : state_{state}, folder_{open_folder(state)} {
    if (!folder_) throw Error{ErrorKind::io, state.string() + " is not there, or no folder"};
    ::unlinkat(folder_.get(), address_name, 0);
    in_folder_ = listen_in_folder();
    if (!in_folder_) listen_without_folder();
}

ControlListener::~ControlListener() {
    ::unlinkat(folder_.get(), in_folder_ ? socket_name : address_name, 0);
}

// Some file systems let a socket be made and then nobody connect, so that is tried.
bool ControlListener::listen_in_folder() {
    socket_ = make_private_socket();
    const auto address = in_folder(folder_.get());
    const bool bound =
        bind_to(socket_.get(), address) ||
        (errno == EADDRINUSE && remove_stale(folder_.get()) && bind_to(socket_.get(), address));
    if (!bound) return false;
    const Fd trial = make_listening_socket();
    if (::listen(socket_.get(), backlog) == 0 &&
        ::connect(trial.get(), address.generic(), address.size) == 0)
        return true;
    remove_stale(folder_.get());
    return false;
}

void ControlListener::listen_without_folder() {
    socket_ = make_listening_socket();
    const auto name = random_name();
    if (!bind_to(socket_.get(), abstract(name)) || ::listen(socket_.get(), backlog) != 0)
        throw system_error("cannot listen on a control socket", errno);
    AtomicFile address{state_ / address_name};
    address.set_mode(0600);
    address.write(name + "\n");
    address.commit();
}

Fd ControlListener::accept() {
    while (true) {
        Fd client{::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
        if (!client) {
            if (errno == EAGAIN) return {};
            if (errno == EINTR || errno == ECONNABORTED) continue;
            throw system_error("cannot accept a client of the control socket", errno);
        }
        const auto user = peer_of(client.get()).user;
        if (user == ::geteuid() || user == 0) return client;
    }
}

}  // namespace podctl::serve

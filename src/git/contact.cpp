#include "contact.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace podctl::git {
namespace {

// A repository of a million refs tells 64 MiB of them, and libgit2 keeps them all in memory.
constexpr std::uint64_t most_before_pack = 64u << 20;
constexpr std::uint64_t largest_pack = std::uint64_t{64} << 30;

// libgit2 maps the file that it writes: a full disk would end podctl by SIGBUS.
constexpr std::uint64_t room_left = 32u << 20, look_interval = 8u << 20;

thread_local Contact* innermost = nullptr;

}  // namespace

Contact::Contact(std::stop_token stop)
    : stop_(std::move(stop)), event_("cannot wait for a stop"), outer_(innermost) {
    innermost = this;
    callback_.emplace(stop_, [this] { on_stop(); });
}

Contact::~Contact() {
    callback_.reset();
    innermost = outer_;
}

Contact* Contact::current() {
    return innermost;
}

void Contact::begin(Reach reach, std::filesystem::path disk) {
    reach_ = reach;
    disk_ = std::move(disk);
    is_pack_ = false;
    received_ = 0;
    next_look_ = look_interval;
}

void Contact::received(std::size_t bytes) {
    received_ += bytes;
    const std::uint64_t most = is_pack_ ? largest_pack : most_before_pack;
    if (received_ > most)
        throw Error{ErrorKind::network,
                    fmt::format("the server sends more than {} MiB {}", most >> 20,
                                is_pack_ ? "of a pack" : "before its pack"),
                    "do not use this repository"};
    if (received_ < next_look_ || disk_.empty()) return;
    next_look_ = received_ + look_interval;
    if (free_space(disk_) < room_left)
        throw Error{ErrorKind::io,
                    fmt::format("{}: No space left for what the server sends", disk_.string()),
                    "free space on that file system"};
}

void Contact::on_stop() {
    event_.wake();
    const std::scoped_lock lock{mutex_};
    for (const int socket : sockets_)
        ::shutdown(socket, SHUT_RDWR);
}

void Contact::watch(int socket) {
    const std::scoped_lock lock{mutex_};
    sockets_.insert(socket);
    // The request may have come before.
    if (stop_requested()) ::shutdown(socket, SHUT_RDWR);
}

void Contact::forget(int socket) {
    const std::scoped_lock lock{mutex_};
    sockets_.erase(socket);
}

void require_room(std::size_t size) {
    if (size > 1) return;
    throw Error{ErrorKind::git, "the server sends a packet that is longer than git's are"};
}

}  // namespace podctl::git

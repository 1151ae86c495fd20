#pragma once

#include "podctl/base/fd.hpp"
#include "podctl/base/wait.hpp"
#include "podctl/http/http.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>

namespace podctl::git {

using Reach = http::Request::Reach;

// What this thread's connection to a server may be and bring. While it lives, a stop request ends
// every wait of this thread for a server: libgit2 itself can only be stopped between two packets,
// which never come from a server that hangs.
class Contact {
public:
    explicit Contact(std::stop_token stop);
    ~Contact();
    Contact(const Contact&) = delete;
    Contact& operator=(const Contact&) = delete;

    // The thread's innermost one; nullptr: none.
    static Contact* current();

    // Another connection, or another fetch over it, begins. Packs are written at `disk`.
    void begin(Reach reach, std::filesystem::path disk);
    Reach reach() const { return reach_; }
    // Whether who answered is on the internet; nullopt: nobody has answered yet.
    std::optional<bool> from_internet = {};

    // Takes note of bytes that a server has sent. Throws Error{network} for more than any
    // repository has, Error{io} when the disk is full.
    void received(std::size_t bytes);
    // What comes from now on is the pack.
    void pack_begins() { is_pack_ = true; }

    bool stop_requested() const { return stop_.stop_requested(); }
    // Readable once a stop was requested.
    int stop_event() const { return event_.fd(); }
    // libssh2 waits by itself, for the socket alone: a stop shuts it down.
    void watch(int socket);
    void forget(int socket);

private:
    void on_stop();

    const std::stop_token stop_;
    const WakeUp event_;
    Contact* const outer_;
    std::mutex mutex_;
    std::set<int> sockets_;  // under mutex
    Reach reach_ = Reach::anywhere;
    std::filesystem::path disk_;
    bool is_pack_ = false;
    std::uint64_t received_ = 0, next_look_ = 0;
    std::optional<std::stop_callback<std::function<void()>>> callback_;
};

void require_room(std::size_t size);

// libgit2 searches a packet by strstr (smart_pkt.c, set_data), in a buffer that nobody terminates,
// and a server can have it search behind the end. So `read(size)` fills one byte less, and a NUL
// follows. The longest packet leaves room for it: 65,520 bytes of 65,536. Throws Error{git} for one
// that is longer.
template <class Read>
int read_terminated(char* into, std::size_t size, std::size_t* got, Read read) {
    require_room(size);
    *got = 0;
    const int code = read(size - 1);
    into[*got] = '\0';
    return code;
}

}  // namespace podctl::git

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace podctl::test {

// One connection of a RawServer.
class RawConnection {
public:
    explicit RawConnection(int fd) : fd_(fd) {}

    int fd() const { return fd_; }

    // Up to the empty line, or what came before the client went.
    std::string read_head();
    // Up to that text. False: the client went before it came.
    bool read_to(std::string_view text);
    // False: the client is gone, or the server stops.
    bool send(std::string_view bytes);
    // Returns once the client is gone, or the server stops.
    void wait_until_gone();

private:
    int fd_;
};

// A server on 127.0.0.1 that says, byte by byte, what a test wants it to: the head of an answer
// that no HTTP library would make. The handler is called by a thread per connection. Stops, and
// joins, in the destructor.
class RawServer {
public:
    explicit RawServer(std::function<void(RawConnection&)> handler);
    ~RawServer();
    RawServer(const RawServer&) = delete;
    RawServer& operator=(const RawServer&) = delete;

    std::string url(std::string_view path = "") const;
    std::size_t connections() const;  // so far

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace podctl::test

#pragma once

#include <cstdint>

namespace podctl::test {

// A connection to a port of 127.0.0.1, closed at the end. Throws std::runtime_error.
class LoopbackConnection {
public:
    explicit LoopbackConnection(std::uint16_t port);
    ~LoopbackConnection();
    LoopbackConnection(const LoopbackConnection&) = delete;
    LoopbackConnection& operator=(const LoopbackConnection&) = delete;
    int fd() const { return fd_; }

private:
    int fd_;
};

// Carries bytes both ways until one side is gone.
void relay(int one, int other);

}  // namespace podctl::test

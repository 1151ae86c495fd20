#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace podctl::http {

// A token bucket of bytes. Of one thread.
class RateLimit {
public:
    // 0: no limit.
    explicit RateLimit(std::uint64_t bytes_per_second)
        : rate_(static_cast<double>(bytes_per_second)) {}

    bool allows() const { return rate_ == 0 || tokens_ > 0; }
    // The tokens may go below nothing: what has come has come.
    void took(std::size_t bytes) { tokens_ -= static_cast<double>(bytes); }
    void refill() {
        if (rate_ == 0) return;
        const auto now = std::chrono::steady_clock::now();
        const double seconds = std::chrono::duration<double>(now - last_).count();
        // What was not used is not saved up: a limit is a limit at every moment.
        tokens_ = std::min(tokens_ + seconds * rate_, rate_ / 20);
        last_ = now;
    }

private:
    const double rate_;
    double tokens_ = 0;
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace podctl::http

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace podctl::download {

// How many connections one transfer should have: one, and more only while more bring more. Pure:
// it is told what happens and remembers.
class Pace {
public:
    using Clock = std::chrono::steady_clock;

    struct Sample {
        Clock::time_point now;
        std::uint64_t received = 0;   // bytes from the network so far
        std::uint64_t remaining = 0;  // bytes
        unsigned active = 0;          // connections
        unsigned flowing = 0;         // those whose bytes have begun to come
        bool held_back = false;       // by disk, digest or --limit-rate, since the last sample
    };

    // `most`: connections there may be. `enough`: bytes a second that need no second connection.
    Pace(unsigned most, std::uint64_t enough) : most_(most), enough_(enough) {}

    void observe(const Sample& sample);
    unsigned target() const { return target_; }
    // The server takes no more than this many for now; more is tried again later.
    void limit(unsigned most, Clock::time_point now);

private:
    void start_window(const Sample& sample);
    bool is_worth_more(const Sample& sample, double rate) const;
    void fall_back(unsigned target, Clock::time_point now);

    const unsigned most_;
    const std::uint64_t enough_;
    unsigned target_ = 1;

    std::optional<Clock::time_point> window_start_;
    std::uint64_t window_received_ = 0;
    bool window_held_back_ = false;

    // A raise that has yet to show its worth.
    struct Trial {
        unsigned before = 1;
        double rate_before = 0;
        Clock::time_point since;
    };
    std::optional<Trial> trial_;
    Clock::time_point next_trial_{};
    std::chrono::seconds pause_{2};
};

}  // namespace podctl::download

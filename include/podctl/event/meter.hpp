#pragma once

#include "podctl/event/event.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace podctl {

// How fast a count grows, smoothed over some seconds.
class Rate {
public:
    using Clock = std::chrono::steady_clock;

    // The count now. The first one after begin() is where counting begins.
    void observe(std::uint64_t count, Clock::time_point now);
    // What passed since the last count was no time in which anything could have come.
    void begin() { measured_ = {}; }
    double per_second() const { return value_; }

private:
    std::optional<Clock::time_point> measured_ = {};
    Clock::time_point grew_ = {};
    std::uint64_t count_ = 0;
    double value_ = 0;
    bool is_known_ = false;
};

// How far a step, or all of them together, has come.
struct Reading {
    std::uint64_t done = 0;
    std::optional<std::uint64_t> total = {};
    std::string unit = "bytes";
    double rate = 0;  // bytes a second
    std::optional<std::chrono::seconds> eta = {};
    std::string detail = {};  // what is being done now

    std::uint64_t remaining() const { return total && *total > done ? *total - done : 0; }
};

struct Overall {
    Reading bytes;               // its total is known once every file's is
    std::size_t files = 0;       // those of which bytes came, or are coming
    std::size_t files_done = 0;  // without the failed ones
    std::size_t files_running = 0;
};

// Follows the progress of steps. It is told what time it is. Bytes that were there when a file's
// download began (a resumed one's) count as done, but not into any rate.
class Meter {
public:
    using Clock = Rate::Clock;

    void observe(const Event& event, Clock::time_point now);
    // nullopt: that step has told no progress.
    std::optional<Reading> of(const std::string& step) const;
    Overall all() const;

private:
    struct Step {
        std::uint64_t done = 0;
        std::optional<std::uint64_t> total = {};
        std::string unit = {};
        std::string detail = {};
        std::uint64_t received = 0;  // without what was there at first
        Rate rate = {};
        enum class State { running, done, failed } state = State::running;

        bool is_running_file() const { return state == State::running && unit == "bytes"; }
        bool is_receiving() const { return is_running_file() && !(total && done >= *total); }
    };

    void advance(const event::StepProgress& progress, Clock::time_point now);
    void end(const std::string& step, Step::State state);

    std::map<std::string, Step> steps_;
    std::uint64_t received_ = 0;  // of all steps
    Rate rate_;                   // of all steps
};

}  // namespace podctl

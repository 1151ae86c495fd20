#pragma once

#include "output.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace podctl::cli {

// What a run has done so far, for the lines that sum it up. It is told what time it is.
class RunLedger {
public:
    using Clock = Meter::Clock;

    void observe(const Event& event, Clock::time_point now);

    // The last line of a run: how it ended, whether there was anything to do, and of one that was
    // interrupted what was under way.
    Line ended(const event::RunFinished& run) const;
    // "ready 38s after the beginning; slowest: launch 26.1s, python.install 5.2s"; empty: nothing
    // took long.
    Line launched(Clock::time_point now) const;
    // "still running: python.resolve (30s)"; empty: nothing runs.
    Line still_running(Clock::time_point now) const;

    // What runs, and since when.
    const std::map<std::string, Clock::time_point>& running() const { return running_; }

private:
    struct Took {
        std::string step;
        std::chrono::milliseconds time{0};
    };

    void began(const std::string& step, Clock::time_point now);
    void finished(const std::string& step, std::chrono::milliseconds took);

    Clock::time_point began_ = {};
    std::map<std::string, Clock::time_point> running_;  // since when
    std::vector<Took> took_;                            // what did something
    std::vector<std::string> interrupted_;
    std::size_t changed_ = 0, kept_ = 0;
};

}  // namespace podctl::cli

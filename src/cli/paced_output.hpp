#pragma once

#include "output.hpp"

#include <map>
#include <string>
#include <vector>

namespace podctl::cli {

// What is printed for each event, with progress no more often than its reader wants it. They are
// told what time it is, and print nothing themselves.

// Every event; a step's progress, and that of all files, once a second. A step's last progress
// comes before its end.
class JsonLines {
public:
    std::vector<std::string> of(const Event& event, Meter::Clock::time_point now);

private:
    struct Told {
        Meter::Clock::time_point at = {};
        std::optional<event::StepProgress> held_back = {};
    };

    void add_progress(const event::StepProgress& progress, Meter::Clock::time_point now,
                      std::vector<std::string>& lines);
    void add_held_back(const std::string& step, std::vector<std::string>& lines);

    Meter meter_;
    std::map<std::string, Told> steps_;
    Meter::Clock::time_point all_told_ = {};
};

// A line for every event that `verbosity` lets through; progress every ten seconds, of all files
// together where many run.
class PlainLines {
public:
    explicit PlainLines(Verbosity verbosity) : verbosity_(verbosity) {}
    std::vector<Line> of(const Event& event, Meter::Clock::time_point now);

private:
    void add_progress(const event::StepProgress& progress, Meter::Clock::time_point now,
                      std::vector<Line>& lines);

    const Verbosity verbosity_;
    Meter meter_;
    std::map<std::string, Meter::Clock::time_point> told_;  // by step; "": all files
};

// Whether -q leaves the event out.
bool is_shown(const Event& event, Verbosity verbosity);

}  // namespace podctl::cli

#pragma once

#include "output.hpp"
#include "run_ledger.hpp"

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
    // A sign of life, to be asked for now and then: where steps run and no line came for a while.
    std::vector<Line> of_silence(Meter::Clock::time_point now);

private:
    std::vector<Line> lines_of(const Event& event, Meter::Clock::time_point now);
    void add_progress(const event::StepProgress& progress, Meter::Clock::time_point now,
                      std::vector<Line>& lines);

    const Verbosity verbosity_;
    Meter meter_;
    RunLedger ledger_;
    Meter::Clock::time_point last_line_ = {};
    std::map<std::string, Meter::Clock::time_point> told_;  // by step; "": all files
};

// What is printed of an event that is no progress; `ledger` has seen it.
std::vector<Line> lines_of(const Event& event, Verbosity verbosity, const RunLedger& ledger,
                           Meter::Clock::time_point now);

// Whether -q leaves the event out.
bool is_shown(const Event& event, Verbosity verbosity);

}  // namespace podctl::cli

#pragma once

#include "podctl/event/event.hpp"
#include "podctl/event/meter.hpp"

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace podctl::serve {

// Where each step of a run stands, for the progress page. To be used by several threads at once.
class ProgressBoard {
public:
    using Clock = Meter::Clock;

    explicit ProgressBoard(std::string pod) : pod_(std::move(pod)) {}

    // The steps in the order in which they are shown.
    void expect(const std::vector<std::string>& steps);
    void observe(const Event& event, Clock::time_point now);

    // {"podctl": version, "pod": …, "seconds": …,
    //  "steps": [{"id", "state", "seconds"?, "progress"?, "message"?, "hint"?, "optional"?}, …],
    //  "downloads": {"done", "total", "unit", "rate", "eta"}, "notices": [{"step", "message"}, …],
    //  "failure": {"exit_code", "message", "hint"}?}, the last once the whole run has failed.
    // `state` is waiting, running, done, skipped, not_run or failed; `message` is why, or what it
    // waits for. It is for strangers: names of steps and podctl's own words, and nothing that an
    // error, a notice or a reason says, which may quote any file, server or program.
    std::string json(Clock::time_point now) const;

private:
    struct Step {
        std::string id;
        enum class State {
            waiting,
            running,
            done,
            skipped,
            not_run,
            failed
        } state = State::waiting;
        Clock::time_point started = {};
        std::chrono::milliseconds took{0};  // once it is done
        std::string message = {}, hint = {};
        bool optional = false;

        std::string_view state_name() const;
    };
    struct Seen {
        std::vector<Step> steps;
        std::deque<event::Notice> notices;
        Meter meter;
        std::optional<Clock::time_point> began = {};
        std::optional<int> failed_with = {};          // the run's exit code
        std::optional<Clock::time_point> ended = {};  // when it failed
    };

    // Those of the lock's holder.
    Step& step(const std::string& id);
    void start(const std::string& id, Clock::time_point now);
    void fail(const event::StepFailed& failed);
    void keep(const event::Notice& notice);

    const std::string pod_;
    mutable std::mutex mutex_;
    Seen seen_;
    std::map<std::string, std::size_t> places_;  // of the steps, by id
};

}  // namespace podctl::serve

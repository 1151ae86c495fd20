#pragma once

#include "podctl/event/event.hpp"
#include "podctl/event/meter.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::serve {

// A step of a pod's provisioning that has begun, or needed nothing.
struct PodStep {
    std::string step;
    enum class State { running, done, skipped, not_run, failed } state = State::running;
    std::chrono::milliseconds took{0};  // of a running one: until now
    // How far it is: with a unit that counts it; nullopt: it tells no progress.
    std::optional<Reading> progress = {};
};
std::string_view to_string(PodStep::State state);  // "running", …, "not_run", "failed"

// Follows a pod's steps by its events. It is told what time it is. Of one thread at a time.
class PodSteps {
public:
    using Clock = Meter::Clock;

    void observe(const Event& event, Clock::time_point now);
    // In the order in which they were first heard of.
    std::vector<PodStep> at(Clock::time_point now) const;

private:
    struct Step {
        std::string id;
        PodStep::State state = PodStep::State::running;
        Clock::time_point began = {};
        std::chrono::milliseconds took{0};
    };
    Step& step(const std::string& id, Clock::time_point now);
    void end(const std::string& id, PodStep::State state, Clock::time_point now);

    std::vector<Step> steps_;
    Meter meter_;
};

}  // namespace podctl::serve

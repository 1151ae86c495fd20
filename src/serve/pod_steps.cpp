#include "podctl/serve/pod_steps.hpp"

#include "podctl/base/overloaded.hpp"

#include <algorithm>

namespace podctl::serve {

namespace {

std::chrono::milliseconds whole_milliseconds(PodSteps::Clock::duration time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time);
}

}  // namespace

std::string_view to_string(PodStep::State state) {
    switch (state) {
        case PodStep::State::running:
            return "running";
        case PodStep::State::done:
            return "done";
        case PodStep::State::skipped:
            return "skipped";
        case PodStep::State::not_run:
            return "not_run";
        case PodStep::State::failed:
            return "failed";
    }
    return "";
}

PodSteps::Step& PodSteps::step(const std::string& id, Clock::time_point now) {
    const auto found = std::ranges::find(steps_, id, &Step::id);
    if (found != steps_.end()) return *found;
    return steps_.emplace_back(Step{.id = id, .began = now});
}

void PodSteps::end(const std::string& id, PodStep::State state, Clock::time_point now) {
    Step& ended = step(id, now);
    ended.state = state;
    ended.took = whole_milliseconds(now - ended.began);
}

void PodSteps::observe(const Event& event, Clock::time_point now) {
    using State = PodStep::State;
    meter_.observe(event, now);
    // A step that begins again, after a change that failed say, runs anew.
    const auto begin = [&](const std::string& id) {
        Step& begun = step(id, now);
        if (begun.state == State::running) return;
        begun.state = State::running;
        begun.began = now;
    };
    std::visit(overloaded{[&](const event::StepStarted& it) { begin(it.step); },
                          [&](const event::StepProgress& it) { begin(it.step); },
                          [&](const event::StepSkipped& it) {
                              const bool is_kept = it.why == event::StepSkipped::Why::kept;
                              end(it.step, is_kept ? State::skipped : State::not_run, now);
                          },
                          [&](const event::StepFinished& it) { end(it.step, State::done, now); },
                          [&](const event::StepFailed& it) { end(it.step, State::failed, now); },
                          [](const auto&) {}},
               event);
}

std::vector<PodStep> PodSteps::at(Clock::time_point now) const {
    std::vector<PodStep> steps;
    for (const auto& it : steps_) {
        const bool is_running = it.state == PodStep::State::running;
        steps.push_back({.step = it.id,
                         .state = it.state,
                         .took = is_running ? whole_milliseconds(now - it.began) : it.took,
                         .progress = meter_.of(it.id)});
    }
    return steps;
}

}  // namespace podctl::serve

#include "progress_board.hpp"

#include "podctl/base/units.hpp"
#include "podctl/base/utf8.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>

namespace podctl::serve {
namespace {

using nlohmann::ordered_json;

// Newer ones push older ones out.
constexpr std::size_t most_notices = 20;
// The page is asked for each second; what an installer said in full is in the log.
constexpr std::size_t longest_text = 8'000;

std::string clipped(const std::string& text) {
    return text.size() <= longest_text ? text : std::string{utf8::cut(text, longest_text)} + " …";
}

double seconds(std::chrono::duration<double> time) {
    return time.count();
}

template <class Value>
ordered_json or_null(const std::optional<Value>& value) {
    return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json json_of(const Reading& reading) {
    return {{"done", reading.done},
            {"total", or_null(reading.total)},
            {"unit", reading.unit},
            {"rate", static_cast<std::uint64_t>(reading.rate)},
            {"eta", reading.eta ? ordered_json(reading.eta->count()) : ordered_json(nullptr)}};
}

}  // namespace

std::string_view ProgressBoard::Step::state_name() const {
    switch (state) {
        case State::waiting:
            return "waiting";
        case State::running:
            return "running";
        case State::done:
            return "done";
        case State::skipped:
            return "skipped";
        case State::not_run:
            return "not_run";
        case State::failed:
            return "failed";
    }
    return "";
}

void ProgressBoard::expect(const std::vector<std::string>& steps) {
    const std::scoped_lock lock{mutex_};
    for (const auto& id : steps)
        step(id);
}

ProgressBoard::Step& ProgressBoard::step(const std::string& id) {
    const auto [place, is_new] = places_.try_emplace(id, seen_.steps.size());
    if (is_new) seen_.steps.push_back({.id = id});
    return seen_.steps[place->second];
}

void ProgressBoard::start(const std::string& id, Clock::time_point now) {
    Step& started = step(id);
    started.state = Step::State::running;
    started.started = now;
}

void ProgressBoard::fail(const event::StepFailed& failed) {
    Step& step = this->step(failed.step);
    step.state = Step::State::failed;
    step.message = clipped(failed.message);
    step.hint = clipped(failed.hint);
    step.optional = failed.optional;
}

void ProgressBoard::keep(const event::Notice& notice) {
    seen_.notices.push_back({notice.step, clipped(notice.message)});
    if (seen_.notices.size() > most_notices) seen_.notices.pop_front();
}

void ProgressBoard::observe(const Event& event, Clock::time_point now) {
    const std::scoped_lock lock{mutex_};
    if (!seen_.began) seen_.began = now;
    seen_.meter.observe(event, now);
    std::visit(overloaded{[&](const event::StepStarted& it) { start(it.step, now); },
                          // It is no longer what is being waited for.
                          [&](const event::StepProgress& it) { step(it.step).message.clear(); },
                          [&](const event::StepFinished& it) {
                              Step& finished = step(it.step);
                              finished.state = Step::State::done;
                              finished.took = it.took;
                              finished.message.clear();
                          },
                          [&](const event::StepSkipped& it) {
                              Step& skipped = step(it.step);
                              const bool is_kept = it.why == event::StepSkipped::Why::kept;
                              skipped.state = is_kept ? Step::State::skipped : Step::State::not_run;
                              skipped.message = clipped(it.reason);
                          },
                          [&](const event::StepFailed& it) { fail(it); },
                          [&](const event::StepRetrying& it) {
                              step(it.step).message = clipped(fmt::format(
                                  "trying again in {}: {}", format_duration(it.wait), it.reason));
                          },
                          [&](const event::Notice& it) { keep(it); }, [](const auto&) {}},
               event);
}

std::string ProgressBoard::json(Clock::time_point now) const {
    // A copy, so that no run waits for its visitors' JSON.
    const Seen seen = [this] {
        const std::scoped_lock lock{mutex_};
        return seen_;
    }();
    auto steps = ordered_json::array();
    for (const auto& step : seen.steps) {
        ordered_json told{{"id", step.id}, {"state", step.state_name()}};
        if (step.state == Step::State::running) {
            told["seconds"] = seconds(now - step.started);
            if (const auto reading = seen.meter.of(step.id)) told["progress"] = json_of(*reading);
        }
        if (step.state == Step::State::done) told["seconds"] = seconds(step.took);
        if (!step.message.empty()) told["message"] = step.message;
        if (!step.hint.empty()) told["hint"] = step.hint;
        if (step.optional) told["optional"] = true;
        steps.push_back(std::move(told));
    }
    auto notices = ordered_json::array();
    for (const auto& notice : seen.notices)
        notices.push_back({{"step", notice.step}, {"message", notice.message}});
    const ordered_json whole{{"podctl", PODCTL_VERSION},
                             {"pod", pod_},
                             {"seconds", seconds(now - seen.began.value_or(now))},
                             {"steps", std::move(steps)},
                             {"downloads", json_of(seen.meter.all().bytes)},
                             {"notices", std::move(notices)}};
    // What a program printed need not be UTF-8.
    return whole.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace podctl::serve

#include "progress_board.hpp"

#include "podctl/base/overloaded.hpp"
#include "podctl/base/printable.hpp"
#include "podctl/base/units.hpp"
#include "podctl/base/utf8.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <string_view>

namespace podctl::serve {
namespace {

using nlohmann::ordered_json;

// Newer ones push older ones out.
constexpr std::size_t most_notices = 20;
constexpr std::size_t longest_name = 400;

// A name for strangers: none of it is obeyed, and an absolute path, which tells of this machine, is
// only its last part.
std::string public_name(const std::string& text) {
    std::string_view name{text};
    const auto colon = name.find(':');
    const auto kind = colon == name.npos ? std::string_view{} : name.substr(0, colon + 1);
    name.remove_prefix(kind.size());
    if (name.starts_with('/')) name.remove_prefix(name.find_last_of('/') + 1);
    const auto shown = printable(std::string{kind} + std::string{name}, Lines::one);
    return shown.size() <= longest_name ? shown : std::string{utf8::cut(shown, longest_name)} + "…";
}

// What strangers are told of an error: nothing that a file, a server or a program has said.
std::string_view public_reason(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::usage:
        case ErrorKind::template_:
            return "the template is wrong";
        case ErrorKind::preflight:
            return "the machine does not fit the template";
        case ErrorKind::network:
            return "a server could not be reached, or the connection broke";
        case ErrorKind::unauthorized:
            return "a server wants a token, or has refused the one it got";
        case ErrorKind::not_found:
            return "what was asked for does not exist";
        case ErrorKind::integrity:
            return "the bytes that came are not the ones that were promised";
        case ErrorKind::io:
            return "the disk or its file system failed";
        case ErrorKind::conflict:
            return "something else stands in its place, or requirements exclude each other";
        case ErrorKind::git:
            return "a repository could not be fetched";
        case ErrorKind::python:
            return "a Python environment could not be made";
        case ErrorKind::command_failed:
            return "a program that it runs has failed";
        case ErrorKind::launch:
            return "a service did not start, or ended in failure";
        case ErrorKind::smoke:
            return "the smoke test failed";
        case ErrorKind::locked:
            return "another podctl works here";
        case ErrorKind::interrupted:
            return "it was stopped";
        case ErrorKind::internal:
            return "podctl itself has failed";
    }
    return "";
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
    step.message = public_reason(failed.kind);
    step.hint = "podctl's own output says more";
    step.optional = failed.optional;
}

void ProgressBoard::keep(const event::Notice& notice) {
    const auto is_known = [&](const event::Notice& it) { return it.step == notice.step; };
    if (std::ranges::any_of(seen_.notices, is_known)) return;
    seen_.notices.push_back({notice.step, "podctl's own output has a notice"});
    if (seen_.notices.size() > most_notices) seen_.notices.pop_front();
}

void ProgressBoard::observe(const Event& event, Clock::time_point now) {
    const std::scoped_lock lock{mutex_};
    if (!seen_.began) seen_.began = now;
    seen_.meter.observe(event, now);
    std::visit(
        overloaded{
            [&](const event::StepStarted& it) { start(it.step, now); },
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
                if (!is_kept) skipped.message = "a step that it needs has failed";
            },
            [&](const event::StepFailed& it) { fail(it); },
            [&](const event::StepRetrying& it) {
                step(it.step).message = fmt::format("trying again in {}", format_duration(it.wait));
            },
            // The launch is a step of it, to those who look on.
            [&](const event::LaunchFailed& it) {
                fail({std::string{event::launch_step}, ErrorKind::launch, it.message, it.hint});
            },
            [&](const event::RunFinished& it) {
                if (it.ok) return;
                seen_.failed_with = it.exit_code;
                seen_.ended = now;
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
        ordered_json told{{"id", public_name(step.id)}, {"state", step.state_name()}};
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
        notices.push_back({{"step", public_name(notice.step)}, {"message", notice.message}});
    const auto until = seen.ended.value_or(now);
    ordered_json whole{{"podctl", PODCTL_VERSION},
                       {"pod", public_name(pod_)},
                       {"seconds", seconds(until - seen.began.value_or(until))},
                       {"steps", std::move(steps)},
                       {"downloads", json_of(seen.meter.all().bytes)},
                       {"notices", std::move(notices)}};
    if (seen.failed_with)
        whole["failure"] = {{"exit_code", *seen.failed_with},
                            {"message", "Preparing this pod has failed"},
                            {"hint",
                             "In the container `podctl status` says why, and `podctl up` "
                             "is another try."}};
    return whole.dump();
}

}  // namespace podctl::serve

#include "service_machine.hpp"

#include "podctl/base/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace podctl::serve {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

// For what is killed to end, before the service counts as gone without it.
constexpr milliseconds patience_after_kill = 2s;

constexpr const char* restart_asked_for = "a restart was asked for";

// "ended with exit code 1", "was killed by SIGKILL".
std::string describe_end(const ExitStatus& status) {
    return (status.signal == 0 ? "ended with " : "was ") + status.describe();
}

}  // namespace

std::optional<ServiceMachine::Time> ServiceMachine::next_deadline() const {
    switch (state_) {
        case State::starting:
            return ready_by_;
        case State::ending:
            return kill_at_;
        case State::backing_off:
            return restart_at_;
        case State::waiting:
        case State::preparing:
        case State::ready:
        case State::stopped:
            return std::nullopt;
    }
    return std::nullopt;
}

ServiceMachine::Effect ServiceMachine::stop(Time now, milliseconds grace) {
    switch (state_) {
        case State::starting:
        case State::ready:
            return end_run(Ending::stop_requested, now, grace);
        case State::ending:
            ending_ = Ending::stop_requested;
            return Effect::none;
        case State::waiting:
        case State::preparing:
        case State::backing_off:
            state_ = State::stopped;
            return Effect::none;
        case State::stopped:
            return Effect::none;
    }
    return Effect::none;
}

ServiceMachine::Effect ServiceMachine::restart(Time now) {
    failures_ = 0;
    restarting_ = true;
    switch (state_) {
        case State::starting:
        case State::ready:
            return end_run(Ending::restart_requested, now, policy_.grace);
        case State::ending:
            if (ending_ != Ending::stop_requested) ending_ = Ending::restart_requested;
            return Effect::none;
        case State::preparing:
        case State::backing_off:
        case State::stopped:
            state_ = State::waiting;
            return Effect::none;
        case State::waiting:
            return Effect::none;
    }
    return Effect::none;
}

ServiceMachine::Effect ServiceMachine::tick(Time now) {
    const auto deadline = next_deadline();
    if (!deadline || now < *deadline) return Effect::none;
    switch (state_) {
        case State::starting:
            return end_run(Ending::not_ready_in_time, now, policy_.grace);
        case State::ending:
            return status_ && killed_ ? Effect::settle : kill(now);
        case State::backing_off:
            return Effect::spawn;
        case State::waiting:
        case State::preparing:
        case State::ready:
        case State::stopped:
            return Effect::none;
    }
    return Effect::none;
}

void ServiceMachine::preparing() {
    state_ = State::preparing;
}

void ServiceMachine::started(Time now) {
    state_ = State::starting;
    status_.reset();
    ready_at_.reset();
    killed_ = false;
    ending_ = Ending::by_itself;
    if (policy_.ready_by == ServicePolicy::ReadyBy::start) return answered(now);
    if (!ready_by_) ready_by_ = now + policy_.ready_timeout;
}

void ServiceMachine::not_started() {
    state_ = State::stopped;
}

void ServiceMachine::answered(Time now) {
    state_ = State::ready;
    was_ready_ = true;
    restarting_ = false;
    ready_by_.reset();
    ready_at_ = now;
}

ServiceMachine::Effect ServiceMachine::exited(const ExitStatus& status, Time now) {
    status_ = status;
    if (state_ == State::ending) return Effect::none;
    // Its leader has ended without being asked: nothing guides what is left of the group.
    state_ = State::ending;
    return kill(now);
}

ServiceMachine::Effect ServiceMachine::end_run(Ending why, Time now, milliseconds grace) {
    ending_ = why;
    state_ = State::ending;
    kill_at_ = now + grace;
    return Effect::terminate;
}

ServiceMachine::Effect ServiceMachine::kill(Time now) {
    killed_ = true;
    kill_at_ = now + patience_after_kill;
    return Effect::kill;
}

ServiceMachine::Verdict ServiceMachine::ended(Time now, Reboot reboot) {
    if (ready_at_ && now - *ready_at_ >= policy_.back_off.healthy) failures_ = 0;
    if (ending_ == Ending::stop_requested) {
        state_ = State::stopped;
        return {};
    }
    if (ending_ == Ending::restart_requested) {
        ready_by_.reset();
        state_ = State::waiting;
        return {
            .kind = Verdict::Kind::restarts, .reason = restart_asked_for, .attempt = failures_ + 1};
    }
    if (reboot == Reboot::asked_for) return start_again(restart_asked_for, 0ms, now);
    return verdict_of_end(now);
}

// Of a run that nobody wanted to end.
ServiceMachine::Verdict ServiceMachine::verdict_of_end(Time now) {
    ready_by_.reset();
    const bool was_late = ending_ == Ending::not_ready_in_time;
    auto reason =
        was_late ? fmt::format("was not ready within {}", format_duration(policy_.ready_timeout))
                 : describe_end(*status_) + (was_ready_ ? "" : " before it was ready");
    // Before it was ever ready the fault lies in how it is set up, and comes again.
    if (!was_ready_) return fail(std::move(reason));
    const bool failed = was_late || !status_->ok() || !ready_at_;
    if (!failed) {
        failures_ = 0;
        if (policy_.restart == tmpl::Restart::always)
            return start_again(std::move(reason), next_wait(), now);
        state_ = State::stopped;
        return {};
    }
    if (policy_.restart == tmpl::Restart::never) return fail(std::move(reason));
    if (++failures_ >= policy_.back_off.give_up_after)
        return fail(fmt::format("{}, and has failed {} times in a row", reason, failures_));
    return start_again(std::move(reason), next_wait(), now);
}

ServiceMachine::Verdict ServiceMachine::start_again(std::string reason, milliseconds wait,
                                                    Time now) {
    state_ = State::backing_off;
    restart_at_ = now + wait;
    return {.kind = Verdict::Kind::restarts,
            .reason = std::move(reason),
            .wait = wait,
            .attempt = failures_ + 1};
}

ServiceMachine::Verdict ServiceMachine::fail(std::string reason) {
    using Cause = Verdict::Cause;
    state_ = State::stopped;
    const bool killed = ending_ == Ending::by_itself && status_->signal == SIGKILL;
    return {.kind = Verdict::Kind::fails,
            .reason = std::move(reason),
            .cause = ending_ == Ending::not_ready_in_time ? Cause::not_ready_in_time
                     : killed                             ? Cause::killed_from_elsewhere
                                                          : Cause::exit};
}

// Doubled for each failure of the row.
milliseconds ServiceMachine::next_wait() const {
    auto wait = policy_.back_off.first;
    for (int failure = 1; failure < failures_ && wait < policy_.back_off.longest; ++failure)
        wait *= 2;
    return std::min(wait, policy_.back_off.longest);
}

}  // namespace podctl::serve

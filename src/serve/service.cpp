#include "service.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process_stat.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/base/units.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

namespace podctl::serve {

namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr std::size_t lines_in_message = 20;
// Of one service before the others have their turn.
constexpr std::size_t max_output_at_once = 256u << 10;
// How often to look whether a process group is gone: there is no descriptor to wait for it.
constexpr milliseconds group_interval = 20ms;
// For what is killed to end, before the service counts as gone without it.
constexpr milliseconds patience_after_kill = 2s;

milliseconds since(Clock::time_point start) {
    return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
}

// "ended with exit code 1", "was killed by SIGKILL".
std::string describe_end(const ExitStatus& status) {
    return (status.signal == 0 ? "ended with " : "was ") + status.describe();
}

std::filesystem::path log_file(const PodOptions& options, const std::string& service) {
    auto name = safe_file_name(service);
    return options.logs / ((name.empty() ? "service" : name) + ".log");
}

}  // namespace

Service::Service(ServiceSpec spec, const Surroundings& surroundings)
    : spec_{std::move(spec)},
      surroundings_{surroundings},
      log_{log_file(surroundings.options, spec_.name),
           [this](const std::string& problem) {
               surroundings_.events.emit(event::Notice{"service:" + spec_.name, problem});
           }},
      lines_{[this](std::string_view line) { take_line(line); }} {}

RunningService Service::describe() const {
    return {.name = spec_.name,
            .pid = child_pid(),
            .port = spec_.ready.port,
            .url = spec_.ready.url,
            .state = state_,
            .starts = starts_,
            .started = started_on_,
            .last_exit = last_exit_};
}

int Service::exit_fd() const {
    return child_ && !status_ ? child_->exit_fd() : -1;
}

int Service::output_fd() const {
    return child_ && !output_ended_ ? child_->output_fd() : -1;
}

pid_t Service::child_pid() const {
    return child_ && !status_ ? child_->pid() : 0;
}

std::optional<Clock::time_point> Service::next_deadline() const {
    switch (state_) {
        case State::starting:
            return ready_by_;
        case State::ending:
            return status_ ? std::min(kill_at_, Clock::now() + group_interval) : kill_at_;
        case State::backing_off:
            return restart_at_;
        case State::waiting:
        case State::ready:
        case State::stopped:
            return std::nullopt;
    }
    return std::nullopt;
}

void Service::start() {
    log_.open();
    last_lines_.clear();
    std::error_code ignored;
    // One that an earlier podctl left would make a crash look like a restart that was asked for.
    if (!spec_.reboot_marker.empty()) std::filesystem::remove(spec_.reboot_marker, ignored);
    try {
        child_.emplace(spawn(spec_.command));
    } catch (const Error& error) {
        state_ = State::stopped;
        failure_ = PodEnd{.cause = PodEnd::Cause::failed,
                          .message = fmt::format("{} cannot be started: {}", name_in_message(),
                                                 surroundings_.options.redact(error.message())),
                          .hint = error.hint()};
        return;
    }
    state_ = State::starting;
    started_at_ = Clock::now();
    started_on_ = std::chrono::system_clock::now();
    ++starts_;
    ready_at_.reset();
    status_.reset();
    output_ended_ = killed_ = false;
    ending_ = Ending::by_itself;
    report(fmt::format("started, pid {}", child_->pid()));
    surroundings_.events.emit(event::ServiceStarted{spec_.name, child_->pid()});
    if (spec_.ready.port == 0) return become_ready();
    if (!ready_by_) ready_by_ = started_at_ + spec_.ready.timeout;
    probe_.emplace(spec_.ready, surroundings_.http, surroundings_.wake);
}

void Service::become_ready() {
    state_ = State::ready;
    was_ready_ = true;
    restarting_ = false;
    probe_.reset();
    ready_by_.reset();
    ready_at_ = Clock::now();
    surroundings_.events.emit(event::ServiceReady{spec_.name, spec_.ready.url, since(started_at_)});
}

void Service::stop(milliseconds grace) {
    switch (state_) {
        case State::starting:
        case State::ready:
            return end_group(Ending::stop_requested, grace);
        case State::ending:
            ending_ = Ending::stop_requested;
            return;
        case State::waiting:
        case State::backing_off:
            state_ = State::stopped;
            return;
        case State::stopped:
            return;
    }
}

void Service::restart() {
    failures_ = 0;
    restarting_ = true;
    switch (state_) {
        case State::starting:
        case State::ready:
            return end_group(Ending::restart_requested, surroundings_.options.grace);
        case State::ending:
            if (ending_ != Ending::stop_requested) ending_ = Ending::restart_requested;
            return;
        case State::backing_off:
        case State::stopped:
            state_ = State::waiting;
            return;
        case State::waiting:
            return;
    }
}

void Service::tick() {
    read_output();
    switch (state_) {
        case State::starting:
            // First: one that answered and then ended was ready.
            if (probe_->ready()) become_ready();
            check_exit();
            if (state_ == State::starting && Clock::now() >= *ready_by_)
                end_group(Ending::not_ready_in_time, surroundings_.options.grace);
            return;
        case State::ready:
            return check_exit();
        case State::ending:
            check_exit();
            return check_group();
        case State::backing_off:
            if (Clock::now() >= restart_at_) start();
            return;
        case State::waiting:
        case State::stopped:
            return;
    }
}

void Service::check_exit() {
    if (status_ || !(status_ = child_->poll())) return;
    read_output();
    last_exit_ = status_->describe();
    report("ended: " + last_exit_);
    surroundings_.events.emit(event::ServiceExited{spec_.name, status_->code, status_->signal});
    if (state_ == State::ending) return;
    // Its leader has ended without being asked: nothing guides what is left of the group.
    state_ = State::ending;
    kill_group();
    check_group();
}

void Service::end_group(Ending why, milliseconds grace) {
    ending_ = why;
    state_ = State::ending;
    if (probe_) last_answer_ = probe_->last_answer();
    probe_.reset();
    kill_at_ = Clock::now() + grace;
    child_->signal_group(SIGTERM);
}

void Service::kill_group() {
    killed_ = true;
    kill_at_ = Clock::now() + patience_after_kill;
    child_->signal_group(SIGKILL);
}

void Service::check_group() {
    const bool gone = status_ && !group_runs(child_->pid());
    if (!gone && Clock::now() >= kill_at_) {
        if (status_ && killed_) return settle();
        kill_group();
    }
    if (gone) settle();
}

// The run is over: its group is gone.
void Service::settle() {
    read_output();
    lines_.finish();
    log_.flush();
    const bool ready = ready_at_.has_value();
    if (ready && since(*ready_at_) >= surroundings_.options.back_off.healthy) failures_ = 0;
    probe_.reset();
    child_.reset();
    if (ending_ == Ending::stop_requested) {
        state_ = State::stopped;
        return;
    }
    if (ending_ == Ending::restart_requested) {
        ready_by_.reset();
        report_restart(0ms, "a restart was asked for");
        state_ = State::waiting;
        return;
    }
    if (take_reboot_marker()) return start_again(0ms, "a restart was asked for");
    if (ending_ == Ending::not_ready_in_time)
        return run_ended(
            fmt::format("was not ready within {}", format_duration(spec_.ready.timeout)), true);
    const bool failed = !status_->ok() || !ready;
    run_ended(describe_end(*status_) + (was_ready_ ? "" : " before it was ready"), failed);
}

bool Service::take_reboot_marker() {
    std::error_code ignored;
    return !spec_.reboot_marker.empty() && std::filesystem::remove(spec_.reboot_marker, ignored);
}

void Service::run_ended(const std::string& reason, bool failed) {
    ready_by_.reset();
    // Before it was ever ready the fault lies in how it is set up, and comes again.
    if (!was_ready_) return fail(reason);
    if (!failed) failures_ = 0;
    if (!failed && spec_.restart != tmpl::Restart::always) {
        state_ = State::stopped;
        return;
    }
    if (failed && spec_.restart == tmpl::Restart::never) return fail(reason);
    if (failed && ++failures_ >= surroundings_.options.back_off.give_up_after)
        return fail(fmt::format("{}, and has failed {} times in a row", reason, failures_));
    start_again(next_wait(), reason);
}

// Doubled for each failure of the row.
milliseconds Service::next_wait() const {
    const auto& back_off = surroundings_.options.back_off;
    auto wait = back_off.first;
    for (int failure = 1; failure < failures_ && wait < back_off.longest; ++failure)
        wait *= 2;
    return std::min(wait, back_off.longest);
}

void Service::start_again(milliseconds wait, const std::string& reason) {
    state_ = State::backing_off;
    restart_at_ = Clock::now() + wait;
    report_restart(wait, reason);
}

void Service::report_restart(milliseconds wait, const std::string& reason) {
    report(fmt::format("starts again in {}: {}", format_duration(wait), reason));
    surroundings_.events.emit(event::ServiceRestarting{spec_.name, failures_ + 1, wait, reason});
}

void Service::fail(const std::string& what) {
    state_ = State::stopped;
    failure_ = PodEnd{.cause = PodEnd::Cause::failed,
                      .message = fmt::format("{} {}", name_in_message(), what),
                      .hint = hint()};
    if (ending_ == Ending::not_ready_in_time) failure_->message += ": " + last_answer_;
    if (last_lines_.empty()) return;
    failure_->message += fmt::format("\nits last lines:\n{}", fmt::join(last_lines_, "\n"));
}

std::string Service::name_in_message() const {
    return "service " + spec_.name;
}

std::string Service::hint() const {
    const auto where = "its whole output is in " + log_.file().string();
    const bool killed = ending_ == Ending::by_itself && status_ && status_->signal == SIGKILL;
    return killed ? "SIGKILL from elsewhere often means that memory ran out; " + where : where;
}

void Service::read_output() {
    if (!child_) return;
    std::array<char, 65536> block;
    for (std::size_t total = 0; !output_ended_ && total < max_output_at_once;) {
        const auto got = ::read(child_->output_fd(), block.data(), block.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) break;
        if (got <= 0) {
            output_ended_ = true;
            break;
        }
        total += static_cast<std::size_t>(got);
        lines_.feed({block.data(), static_cast<std::size_t>(got)});
    }
    log_.flush();
}

void Service::take_line(std::string_view line) {
    if (spec_.on_line) spec_.on_line(line);
    auto redacted = surroundings_.options.redact(line);
    log_.write(redacted);
    surroundings_.events.emit(event::ServiceOutput{spec_.name, redacted});
    last_lines_.push_back(shorten_line(redacted));
    if (last_lines_.size() > lines_in_message) last_lines_.pop_front();
}

void Service::report(std::string_view line) {
    log_.write(fmt::format("[podctl] {} {}", spec_.name, line));
}

}  // namespace podctl::serve

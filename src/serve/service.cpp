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

milliseconds since(Clock::time_point start) {
    return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
}

std::filesystem::path log_file(const PodOptions& options, const std::string& service) {
    auto name = safe_file_name(service);
    return options.logs / ((name.empty() ? "service" : name) + ".log");
}

ServicePolicy policy_of(const ServiceSpec& spec, const PodOptions& options) {
    using ReadyBy = ServicePolicy::ReadyBy;
    return {.restart = spec.restart,
            .back_off = options.back_off,
            .ready_by = spec.ready.port == 0 ? ReadyBy::start : ReadyBy::answer,
            .ready_timeout = spec.ready.timeout,
            .grace = options.grace};
}

}  // namespace

Service::Service(ServiceSpec spec, const Surroundings& surroundings)
    : spec_{std::move(spec)},
      surroundings_{surroundings},
      log_{log_file(surroundings.options, spec_.name),
           [this](const std::string& problem) {
               surroundings_.events.emit(event::Notice{"service:" + spec_.name, problem});
           }},
      machine_{policy_of(spec_, surroundings.options)},
      lines_{[this](std::string_view line) { take_line(line); }} {}

RunningService Service::describe() const {
    return {.name = spec_.name,
            .pid = child_pid(),
            .port = spec_.ready.port,
            .url = spec_.ready.url,
            .state = state(),
            .starts = starts_,
            .started = started_on_,
            .last_exit = last_exit_};
}

int Service::exit_fd() const {
    return child_ && !machine_.status() ? child_->exit_fd() : -1;
}

int Service::output_fd() const {
    return child_ && !output_ended_ ? child_->output_fd() : -1;
}

pid_t Service::child_pid() const {
    return child_ && !machine_.status() ? child_->pid() : 0;
}

std::optional<Clock::time_point> Service::next_deadline() const {
    const auto deadline = machine_.next_deadline();
    const bool waits_for_group = state() == State::ending && machine_.status();
    return waits_for_group ? std::min(*deadline, Clock::now() + group_interval) : deadline;
}

void Service::start() {
    if (!spec_.prepare) return spawn_with(spec_.command);
    machine_.preparing();
    preparation_.emplace(spec_.prepare, surroundings_.wake);
}

// What cannot be prepared must not keep the service from its start.
Command Service::prepared_command() {
    try {
        return preparation_->take();
    } catch (const Error& error) {
        surroundings_.events.emit(event::Notice{"service:" + spec_.name, error.message()});
        return spec_.command;
    }
}

void Service::spawn_with(const Command& command) {
    log_.open();
    last_lines_.clear();
    std::error_code ignored;
    // One that an earlier podctl left would make a crash look like a restart that was asked for.
    if (!spec_.reboot_marker.empty()) std::filesystem::remove(spec_.reboot_marker, ignored);
    try {
        child_.emplace(spawn(command));
    } catch (const Error& error) {
        machine_.not_started();
        failure_ = PodEnd{.cause = PodEnd::Cause::failed,
                          .message = fmt::format("{} cannot be started: {}", name_in_message(),
                                                 surroundings_.options.redact(error.message())),
                          .hint = error.hint()};
        return;
    }
    started_at_ = Clock::now();
    started_on_ = std::chrono::system_clock::now();
    ++starts_;
    output_ended_ = false;
    machine_.started(started_at_);
    report(fmt::format("started, pid {}", child_->pid()));
    surroundings_.events.emit(event::ServiceStarted{spec_.name, child_->pid()});
    if (state() == State::ready) return tell_ready();
    probe_.emplace(spec_.ready, surroundings_.http, surroundings_.wake);
}

void Service::tell_ready() {
    surroundings_.events.emit(event::ServiceReady{spec_.name, spec_.ready.url, since(started_at_)});
}

void Service::stop(milliseconds grace) {
    apply(machine_.stop(Clock::now(), grace));
    if (state() != State::preparing) preparation_.reset();
}

void Service::restart() {
    apply(machine_.restart(Clock::now()));
    if (state() != State::preparing) preparation_.reset();
}

void Service::tick() {
    if (state() == State::preparing) {
        if (!preparation_->is_done()) return;
        const auto command = prepared_command();
        preparation_.reset();
        spawn_with(command);
    }
    read_output();
    // First: one that answered and then ended was ready.
    if (state() == State::starting && probe_->ready()) {
        probe_.reset();
        machine_.answered(Clock::now());
        tell_ready();
    }
    check_exit();
    if (is_group_gone()) return settle();
    apply(machine_.tick(Clock::now()));
}

void Service::apply(ServiceMachine::Effect effect) {
    using Effect = ServiceMachine::Effect;
    switch (effect) {
        case Effect::none:
            return;
        case Effect::spawn:
            return start();
        case Effect::terminate:
            if (probe_) last_answer_ = probe_->last_answer();
            probe_.reset();
            return child_->signal_group(SIGTERM);
        case Effect::kill:
            return child_->signal_group(SIGKILL);
        case Effect::settle:
            return settle();
    }
}

void Service::check_exit() {
    if (!child_ || machine_.status()) return;
    const auto status = child_->poll();
    if (!status) return;
    read_output();
    last_exit_ = status->describe();
    report("ended: " + last_exit_);
    surroundings_.events.emit(event::ServiceExited{spec_.name, status->code, status->signal});
    apply(machine_.exited(*status, Clock::now()));
}

bool Service::is_group_gone() const {
    return child_ && machine_.status() && !group_runs(child_->pid());
}

// The run is over.
void Service::settle() {
    using Kind = ServiceMachine::Verdict::Kind;
    read_output();
    lines_.finish();
    log_.flush();
    probe_.reset();
    child_.reset();
    const auto verdict = machine_.ended(Clock::now(), take_reboot_marker());
    switch (verdict.kind) {
        case Kind::stops:
            return;
        case Kind::restarts:
            return report_restart(verdict);
        case Kind::fails:
            return fail(verdict);
    }
}

ServiceMachine::Reboot Service::take_reboot_marker() {
    using Reboot = ServiceMachine::Reboot;
    std::error_code ignored;
    const bool is_there =
        !spec_.reboot_marker.empty() && std::filesystem::remove(spec_.reboot_marker, ignored);
    return is_there ? Reboot::asked_for : Reboot::none;
}

void Service::report_restart(const ServiceMachine::Verdict& verdict) {
    report(fmt::format("starts again in {}: {}", format_duration(verdict.wait), verdict.reason));
    surroundings_.events.emit(
        event::ServiceRestarting{spec_.name, verdict.attempt, verdict.wait, verdict.reason});
}

void Service::fail(const ServiceMachine::Verdict& verdict) {
    using Cause = ServiceMachine::Verdict::Cause;
    failure_ = PodEnd{.cause = PodEnd::Cause::failed,
                      .message = fmt::format("{} {}", name_in_message(), verdict.reason),
                      .hint = hint(verdict.cause)};
    if (verdict.cause == Cause::not_ready_in_time) failure_->message += ": " + last_answer_;
    if (last_lines_.empty()) return;
    failure_->message += fmt::format("\nits last lines:\n{}", fmt::join(last_lines_, "\n"));
}

std::string Service::name_in_message() const {
    return "service " + spec_.name;
}

std::string Service::hint(ServiceMachine::Verdict::Cause cause) const {
    const auto where = "its whole output is in " + log_.file().string();
    return cause == ServiceMachine::Verdict::Cause::killed_from_elsewhere
               ? "SIGKILL from elsewhere often means that memory ran out; " + where
               : where;
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

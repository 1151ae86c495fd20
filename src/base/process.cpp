#include "podctl/base/process.hpp"

#include "podctl/base/debug_log.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/units.hpp"
#include "podctl/base/wait.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

namespace podctl {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t max_line_bytes = 64u << 10;
constexpr std::size_t max_captured_bytes = 16u << 20;

std::string quoted(const std::string& argument) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    if (!argument.empty() && argument.find_first_not_of(plain) == std::string::npos)
        return argument;
    std::string result = "'";
    for (const char c : argument) {
        if (c == '\'')
            result += "'\\''";
        else
            result += c;
    }
    return result += "'";
}

using OnBytes = std::function<void(std::string_view)>;

enum class Why { running, stopped, timed_out };

// One command from its start to its end: output, end, stop request and clock are waited for at
// once.
class Run {
public:
    Run(const Command& command, std::stop_token stop, const RunOptions& options, OnBytes on_bytes)
        : command_{command},
          stop_{std::move(stop)},
          options_{options},
          on_bytes_{std::move(on_bytes)},
          wake_{"cannot start " + command_.describe()} {}

    ExitStatus operator()() {
        if (stop_.stop_requested()) throw_interrupted();
        const auto started = Clock::now();
        Child child = spawn(command_);
        if (options_.timeout) deadline_ = Clock::now() + *options_.timeout;
        const std::stop_callback wake{stop_, [this] { wake_.wake(); }};
        while (!child.poll()) {
            wait(child);
            if (why_ == Why::running && stop_.stop_requested()) end(child, Why::stopped);
            if (deadline_ && Clock::now() >= *deadline_) at_deadline(child);
        }
        drain(child);
        log_debug("process", [&] {
            const auto took =
                std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started);
            return command_.describe() + ": " + child.poll()->describe() + " after " +
                   format_duration(took);
        });
        if (why_ == Why::stopped) throw_interrupted();
        if (why_ == Why::timed_out) throw_timed_out();
        return *child.poll();
    }

private:
    void wait(Child& child) {
        std::array awaited{Awaited{.fd = child.exit_fd()},
                           Awaited{.fd = output_ended_ ? -1 : child.output_fd()},
                           Awaited{.fd = why_ == Why::running ? wake_.fd() : -1}};
        wait_for_any(awaited, deadline_);
        if (awaited[1].is_ready) read_some(child, block_.size());
    }

    // TERM now, KILL after the grace.
    void end(Child& child, Why why) {
        why_ = why;
        child.signal_group(SIGTERM);
        deadline_ = Clock::now() + options_.grace;
    }

    void at_deadline(Child& child) {
        if (why_ == Why::running) return end(child, Why::timed_out);
        child.signal_group(SIGKILL);
        deadline_.reset();
    }

    // What is in the pipe now. A grandchild may keep it open, and go on writing, for ever.
    void drain(Child& child) {
        int left = 0;
        if (::ioctl(child.output_fd(), FIONREAD, &left) != 0) return;
        for (auto size = static_cast<std::size_t>(left); size > 0 && !output_ended_;)
            size -= std::min(size, read_some(child, size));
    }

    std::size_t read_some(Child& child, std::size_t limit) {
        const ssize_t size =
            ::read(child.output_fd(), block_.data(), std::min(limit, block_.size()));
        if (size < 0 && (errno == EINTR || errno == EAGAIN)) return 0;
        if (size < 0)
            throw system_error("cannot read what " + command_.describe() + " says", errno);
        if (size == 0) output_ended_ = true;
        on_bytes_({block_.data(), static_cast<std::size_t>(size)});
        return static_cast<std::size_t>(size);
    }

    [[noreturn]] void throw_interrupted() const {
        throw Error{ErrorKind::interrupted, "stopped: " + command_.describe()};
    }

    [[noreturn]] void throw_timed_out() const {
        throw Error{ErrorKind::command_failed,
                    fmt::format("{}: did not end within {}", command_.describe(),
                                format_duration(*options_.timeout))};
    }

    const Command& command_;
    std::stop_token stop_;
    const RunOptions& options_;
    OnBytes on_bytes_;
    const WakeUp wake_;
    std::optional<Clock::time_point> deadline_ = {};  // of the timeout, then of the grace
    Why why_ = Why::running;
    bool output_ended_ = false;
    std::array<char, 64u << 10> block_;
};

}  // namespace

std::string signal_name(int signal) {
    switch (signal) {
        case SIGHUP:
            return "SIGHUP";
        case SIGINT:
            return "SIGINT";
        case SIGQUIT:
            return "SIGQUIT";
        case SIGILL:
            return "SIGILL";
        case SIGTRAP:
            return "SIGTRAP";
        case SIGABRT:
            return "SIGABRT";
        case SIGBUS:
            return "SIGBUS";
        case SIGFPE:
            return "SIGFPE";
        case SIGKILL:
            return "SIGKILL";
        case SIGUSR1:
            return "SIGUSR1";
        case SIGSEGV:
            return "SIGSEGV";
        case SIGUSR2:
            return "SIGUSR2";
        case SIGPIPE:
            return "SIGPIPE";
        case SIGALRM:
            return "SIGALRM";
        case SIGTERM:
            return "SIGTERM";
        case SIGXCPU:
            return "SIGXCPU";
        case SIGXFSZ:
            return "SIGXFSZ";
        case SIGSYS:
            return "SIGSYS";
        default:
            return fmt::format("signal {}", signal);
    }
}

std::string ExitStatus::describe() const {
    if (signal != 0) return "killed by " + signal_name(signal);
    return fmt::format("exit code {}", code);
}

std::string Command::describe() const {
    std::string result;
    for (const std::string& argument : argv) {
        if (!result.empty()) result += ' ';
        result += quoted(argument);
    }
    return result;
}

ExitStatus run_command(const Command& command, std::stop_token stop, const RunOptions& options) {
    if (!options.on_line) return Run{command, std::move(stop), options, [](std::string_view) {}}();
    LineSplitter lines{options.on_line};
    const ExitStatus status = Run{command, std::move(stop), options,
                                  [&](std::string_view bytes) { lines.feed(bytes); }}();
    lines.finish();
    return status;
}

Captured run_captured(const Command& command, std::stop_token stop, RunOptions options) {
    Captured captured;
    LineSplitter lines{options.on_line ? options.on_line : [](std::string_view) {}};
    captured.status = Run{command, std::move(stop), options, [&](std::string_view bytes) {
                              captured.output +=
                                  bytes.substr(0, max_captured_bytes - captured.output.size());
                              lines.feed(bytes);
                          }}();
    lines.finish();
    return captured;
}

LineSplitter::LineSplitter(std::function<void(std::string_view)> on_line)
    : on_line_{std::move(on_line)} {}

void LineSplitter::feed(std::string_view bytes) {
    while (!bytes.empty()) {
        if (std::exchange(after_return_, false) && bytes.front() == '\n') {
            bytes.remove_prefix(1);
            continue;
        }
        const std::size_t end =
            std::min({bytes.find_first_of("\r\n"), bytes.size(), max_line_bytes - pending_.size()});
        pending_ += bytes.substr(0, end);
        bytes.remove_prefix(end);
        const bool full = pending_.size() >= max_line_bytes;
        if (bytes.empty() && !full) return;
        const bool at_end = !bytes.empty() && (bytes.front() == '\n' || bytes.front() == '\r');
        after_return_ = at_end && bytes.front() == '\r';
        if (at_end) bytes.remove_prefix(1);
        // A progress bar begins with \r as often as it ends with it.
        if (pending_.empty() && after_return_) continue;
        on_line_(std::exchange(pending_, {}));
    }
}

void LineSplitter::finish() {
    after_return_ = false;
    if (!pending_.empty()) on_line_(std::exchange(pending_, {}));
}

}  // namespace podctl

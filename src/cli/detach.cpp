#include "detach.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/wait.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <utility>
#include <vector>

namespace podctl::cli {
namespace {

// Blocked until the new process has its own handling of them, or for good in the old one.
Fd block_stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        sigaddset(&set, signal);
    Fd signals{::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
    if (!signals || ::sigprocmask(SIG_BLOCK, &set, nullptr) != 0)
        throw system_error("cannot wait for signals", errno);
    return signals;
}

void leave_session() {
    ::setsid();
    const Fd nothing{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    ::dup2(nothing.get(), STDIN_FILENO);
}

int exit_code_of(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

enum class Handed { nothing, to_the_child, hangup };

Handed hand_on_signals(const Fd& signals, pid_t child) {
    auto handed = Handed::nothing;
    signalfd_siginfo info{};
    while (::read(signals.get(), &info, sizeof info) == sizeof info) {
        const auto signal = static_cast<int>(info.ssi_signo);
        if (signal == SIGHUP) return Handed::hangup;
        ::kill(child, signal);
        handed = Handed::to_the_child;
    }
    return handed;
}

// The pipe says when the pod is ready, and by its end that the new process has ended.
int wait_for_child(pid_t child, const Fd& report, const Fd& signals) {
    bool asked_to_end = false;
    while (true) {
        std::array awaited{Awaited{.fd = report.get()}, Awaited{.fd = signals.get()}};
        wait_for_any(awaited);
        const auto handed = hand_on_signals(signals, child);
        if (handed == Handed::hangup) return 128 + SIGHUP;
        asked_to_end |= handed == Handed::to_the_child;
        if (!awaited[0].is_ready) continue;
        char ready = 0;
        if (::read(report.get(), &ready, 1) != 1) return exit_code_of(child);
        // One that became ready and was asked to end at the same time ends.
        if (!asked_to_end) return 0;
    }
}

class DetachedSink : public EventSink {
public:
    DetachedSink(const OutputOptions& options, std::filesystem::path log, std::string pod,
                 Fd report)
        : terminal_{make_sink(options)},
          report_{std::move(report)},
          log_{std::move(log)},
          pod_{std::move(pod)} {}

    void emit(const Event& event) override {
        const std::scoped_lock lock{mutex_};
        if (terminal_) terminal_->emit(event);
        if (terminal_ && std::holds_alternative<event::Launched>(event)) go_on_in_background();
    }

private:
    void go_on_in_background() {
        terminal_->emit(event::Notice{
            "", fmt::format("the pod goes on in the background, pid {0}: see `podctl status{1}`, "
                            "`podctl logs -f{1}`; `podctl down{1}` ends it",
                            ::getpid(), pod_)});
        terminal_.reset();
        hide_debug_lines();
        // Errors, and what a fault of podctl itself would print.
        Fd log = open_beneath(log_, O_WRONLY | O_APPEND | O_CREAT, 0600);
        if (!log) log = Fd{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
        ::dup2(log.get(), STDOUT_FILENO);
        ::dup2(log.get(), STDERR_FILENO);
        const char ready = 1;
        // The one that waits may have gone.
        [[maybe_unused]] const auto written = ::write(report_.get(), &ready, 1);
    }

    std::mutex mutex_;
    std::unique_ptr<EventSink> terminal_;
    Fd report_;  // to its end, which tells the one that waits of this process's
    const std::filesystem::path log_;
    const std::string pod_;
};

}  // namespace

std::variant<Fd, int> detach() {
    if (::getpid() == 1)
        throw Error{ErrorKind::usage,
                    "a container ends with its first process, so up cannot detach",
                    "leave --detach out"};
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw system_error("cannot detach", errno);
    Fd read{ends[0]}, write{ends[1]};
    const Fd signals = block_stop_signals();
    const pid_t child = ::fork();
    if (child < 0) throw system_error("cannot detach", errno);
    if (child == 0) {
        leave_session();
        return write;
    }
    write = Fd{};
    return wait_for_child(child, read, signals);
}

std::unique_ptr<EventSink> make_detached_sink(const OutputOptions& options,
                                              const std::filesystem::path& log,
                                              const std::string& pod, Fd report) {
    return std::make_unique<DetachedSink>(options, log, pod, std::move(report));
}

}  // namespace podctl::cli

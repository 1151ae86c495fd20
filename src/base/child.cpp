#include "child.hpp"

#include "podctl/base/error.hpp"

#include <poll.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

namespace podctl {

namespace {

ExitStatus to_status(const siginfo_t& info) {
    if (info.si_code == CLD_EXITED) return {.code = info.si_status};
    return {.signal = info.si_status};
}

}  // namespace

Child::State::State(pid_t child, Fd child_output, ExitNotice notice)
    : pid{child}, output{std::move(child_output)} {
    try {
        watch.emplace(pid, notice);
    } catch (...) {
        signal_group(SIGKILL);
        ::waitpid(pid, nullptr, 0);
        throw;
    }
}

Child::State::~State() {
    signal_group(SIGKILL);
    watch.reset();  // waits for its thread, which needs the child not to be reaped yet
    siginfo_t info{};
    while (!status && ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) != 0 &&
           errno == EINTR) {
    }
}

void Child::State::reap(int flags) {
    if (status) return;
    siginfo_t info{};
    int result = 0;
    do {
        result = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | flags);
    } while (result != 0 && errno == EINTR);
    if (result != 0)
        throw system_error("the exit code of process " + std::to_string(pid) + " is lost", errno);
    if (info.si_pid == 0) return;  // WNOHANG: it still runs
    status = to_status(info);
    if (::kill(-pid, 0) != 0 && errno == ESRCH) group_is_gone = true;
}

void Child::State::signal_group(int signal) {
    if (group_is_gone) return;
    if (::kill(-pid, signal) == 0) return;
    // Until the child is reaped its group exists, if only as a zombie.
    if (errno == ESRCH) group_is_gone = status.has_value();
}

Child::Child(std::unique_ptr<State> state) : state_{std::move(state)} {}
Child::Child(Child&&) noexcept = default;
Child& Child::operator=(Child&&) noexcept = default;
Child::~Child() = default;

pid_t Child::pid() const {
    return state_->pid;
}
int Child::exit_fd() const {
    return state_->watch->fd();
}
int Child::output_fd() const {
    return state_->output.get();
}

std::optional<ExitStatus> Child::poll() {
    if (state_->watch->may_reap()) state_->reap(WNOHANG);
    return state_->status;
}

ExitStatus Child::wait() {
    while (!state_->watch->may_reap()) {
        pollfd ended{.fd = exit_fd(), .events = POLLIN, .revents = 0};
        if (::poll(&ended, 1, -1) < 0 && errno != EINTR)
            throw system_error("cannot wait for a child process", errno);
    }
    state_->reap(0);
    return *state_->status;
}

void Child::signal_group(int signal) {
    state_->signal_group(signal);
}

}  // namespace podctl

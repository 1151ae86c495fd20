#include "child.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/wait.hpp"

#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace podctl {

namespace {

ExitStatus to_status(const siginfo_t& info) {
    if (info.si_code == CLD_EXITED) return {.code = info.si_status};
    return {.signal = info.si_status};
}

int wait_for(pid_t pid, int flags, siginfo_t& info) {
    int result = 0;
    do {
        result = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | flags);
    } while (result != 0 && errno == EINTR);
    return result;
}

// Reaps it and takes it out of own_children() in one step: its number may soon be another child's.
void reap_own(pid_t pid) {
    auto& own = own_children();
    const std::scoped_lock lock{own.mutex};
    siginfo_t info{};
    wait_for(pid, 0, info);
    own.pids.erase(pid);
}

}  // namespace

OwnChildren& own_children() {
    static OwnChildren children;
    return children;
}

Child::State::State(pid_t child, Fd child_output, ExitNotice notice)
    : pid{child}, output{std::move(child_output)} {
    try {
        watch.emplace(pid, notice);
    } catch (...) {
        end();
        throw;
    }
}

Child::State::~State() {
    end();
}

void Child::State::end() {
    signal_group(SIGKILL);
    wait_for_end(pid);
    watch.reset();  // waits for its thread, which needs the child not to be reaped yet
    reap_own(pid);
}

void Child::State::look(int flags) {
    if (status) return;
    siginfo_t info{};
    if (wait_for(pid, flags | WNOWAIT, info) != 0)
        throw system_error("the exit code of process " + std::to_string(pid) + " is lost", errno);
    if (info.si_pid == 0) return;  // WNOHANG: it still runs
    status = to_status(info);
}

void Child::State::signal_group(int signal) {
    ::kill(-pid, signal);
    // What is stopped would see the request to end only after the grace, when it is killed.
    if (signal == SIGTERM) ::kill(-pid, SIGCONT);
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
    if (state_->watch->may_reap()) state_->look(WNOHANG);
    return state_->status;
}

ExitStatus Child::wait() {
    while (!state_->watch->may_reap()) {
        std::array ended{Awaited{.fd = exit_fd()}};
        wait_for_any(ended);
    }
    state_->look(0);
    return *state_->status;
}

void Child::signal_group(int signal) {
    state_->signal_group(signal);
}

}  // namespace podctl

#include "exit_watch.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/thread.hpp"

#include "pidfd.hpp"

#include <sys/wait.h>

#include <cerrno>
#include <csignal>

namespace podctl {

namespace {

// Keeps the signals from a thread that is not meant to handle any.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

}  // namespace

void wait_for_end(pid_t pid) {
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0 &&
           errno == EINTR) {
    }
}

ExitWatch::ExitWatch(pid_t pid, ExitNotice notice) {
    if (notice == ExitNotice::pidfd) {
        pidfd_ = open_pidfd(pid);
        if (pidfd_) return;
    }
    end_.emplace("cannot watch a child process");
    const SignalsBlocked blocked;
    thread_ = start_thread(
        [this, pid](const std::stop_token&) {
            wait_for_end(pid);
            ended_ = true;
            end_->wake();
        },
        [](const std::exception_ptr&) {});
}

ExitWatch::~ExitWatch() {
    if (thread_.joinable()) thread_.join();
}

}  // namespace podctl

#pragma once

#include "podctl/base/fd.hpp"
#include "podctl/base/wait.hpp"

#include <sys/types.h>

#include <atomic>
#include <optional>
#include <thread>

namespace podctl {

enum class ExitNotice {
    pidfd,   // where the kernel has pidfd_open (Linux 5.3), else as thread
    thread,  // a thread that waits
};

// Blocks until a child has ended, and leaves it to be reaped.
void wait_for_end(pid_t pid);

// Tells when a child has ended, without reaping it. Must not outlive the child's being waited for:
// the destructor blocks until the child has ended.
class ExitWatch {
public:
    ExitWatch(pid_t pid, ExitNotice notice);
    ExitWatch(const ExitWatch&) = delete;
    ExitWatch& operator=(const ExitWatch&) = delete;
    ~ExitWatch();

    // Readable once the child has ended.
    int fd() const { return pidfd_ ? pidfd_.get() : end_->fd(); }
    // Whether the child may be reaped: with a waiting thread no sooner than that thread is done,
    // since it would wait for another process once the pid is free.
    bool may_reap() const { return !thread_.joinable() || ended_; }

private:
    Fd pidfd_;
    std::optional<WakeUp> end_;  // where there is no pidfd
    std::atomic<bool> ended_{false};
    std::jthread thread_;
};

}  // namespace podctl

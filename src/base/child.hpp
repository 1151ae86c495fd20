#pragma once

#include "podctl/base/process.hpp"

#include "exit_watch.hpp"

#include <optional>

namespace podctl {

struct Child::State {
    // Takes the child over; one that cannot be watched is killed and reaped.
    State(pid_t pid, Fd output, ExitNotice notice);
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State();

    void reap(int flags);  // waitid(2) flags besides WEXITED
    void signal_group(int signal);

    pid_t pid;
    Fd output;
    std::optional<ExitWatch> watch;
    std::optional<ExitStatus> status = {};
    bool group_is_gone = false;  // then its number may soon be another group's
};

}  // namespace podctl

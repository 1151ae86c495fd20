#pragma once

#include "podctl/base/process.hpp"

#include "exit_watch.hpp"

#include <mutex>
#include <optional>
#include <set>

namespace podctl {

// The children that somebody waits for, so that nobody else reaps them. Locked from before a child
// is made until it is entered.
struct OwnChildren {
    std::mutex mutex;
    std::set<pid_t> pids;
};
OwnChildren& own_children();

struct Child::State {
    // Takes a child over that is entered in own_children(); one that cannot be watched is killed
    // and reaped.
    State(pid_t pid, Fd output, ExitNotice notice);
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State();

    // Takes its status over, and leaves it unreaped: as long as it is, no other process group can
    // get its number, and what is left of its group can be signalled.
    void look(int flags);  // waitid(2) flags besides WEXITED
    void signal_group(int signal);

    pid_t pid;
    Fd output;
    std::optional<ExitWatch> watch;
    std::optional<ExitStatus> status = {};

private:
    void end();
};

}  // namespace podctl

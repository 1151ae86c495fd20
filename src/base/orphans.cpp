#include "podctl/base/children.hpp"
#include "podctl/base/process.hpp"

#include "child.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace podctl {

bool adopts_orphans() {
    int subreaper = 0;
    return ::getpid() == 1 || (::prctl(PR_GET_CHILD_SUBREAPER, &subreaper) == 0 && subreaper != 0);
}

void reap_orphans() {
    auto& own = own_children();
    const std::scoped_lock lock{own.mutex};
    while (true) {
        siginfo_t info{};
        if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
        // The kernel shows it again until it is reaped by the one who waits for it.
        if (own.pids.contains(info.si_pid)) return;
        ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG);
    }
}

void kill_children() {
    auto& own = own_children();
    const std::scoped_lock lock{own.mutex};
    for (const pid_t pid : own.pids)
        ::kill(-pid, SIGKILL);
}

}  // namespace podctl

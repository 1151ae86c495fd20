#include "podctl/base/fd.hpp"
#include "podctl/serve/serve.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>

namespace podctl::serve {
namespace {

using Clock = std::chrono::steady_clock;

// Waits for a process that is not our child. False: it was still there at the end of the time.
bool is_gone_by(pid_t pid, Clock::time_point deadline) {
    const Fd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
    while (::kill(pid, 0) == 0) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) return false;
        pollfd ended{process.get(), POLLIN, 0};
        // A kernel without pidfds is asked again and again; poll() passes a negative descriptor
        // over.
        const auto wait = process ? left : std::min<long long>(left, 50);
        if (::poll(&ended, 1, static_cast<int>(wait)) > 0) return true;
    }
    return true;
}

}  // namespace

std::vector<std::string> end_left_behind(const std::filesystem::path& pids,
                                         std::chrono::milliseconds grace) {
    const auto pod = find_running_pod(pids);
    std::vector<std::string> ended;
    if (!pod || pod->pid != 0) return ended;
    for (const auto& service : pod->services) {
        if (service.pid > 0) ::kill(-service.pid, SIGTERM);
    }
    const auto deadline = Clock::now() + grace;
    for (const auto& service : pod->services) {
        if (service.pid <= 0) continue;
        is_gone_by(service.pid, deadline);
        // Also what the leader has left of its group.
        ::kill(-service.pid, SIGKILL);
        is_gone_by(service.pid, Clock::now() + std::chrono::seconds{5});
        ended.push_back(service.name);
    }
    return ended;
}

}  // namespace podctl::serve

#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/process_stat.hpp"
#include "podctl/serve/serve.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
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

// pod.json knows the services that have cleaned their environment. The mark knows all others, also
// those that were started just before the kill, so a file that says nothing is no error.
std::vector<RunningService> services_in(const std::filesystem::path& pids) {
    try {
        const auto pod = find_running_pod(pids);
        return pod && pod->pid == 0 ? pod->services : std::vector<RunningService>{};
    } catch (const Error&) {
        return {};
    }
}

std::vector<MarkedProcess> find_left_behind(const std::filesystem::path& state,
                                            const std::filesystem::path& pids, LeftBehind which) {
    auto found = find_marked(state);
    for (const auto& service : services_in(pids)) {
        if (service.pid <= 0) continue;
        std::erase_if(found, [&](const auto& process) { return process.group == service.pid; });
        if (which == LeftBehind::all) found.push_back({service.pid, service.pid, service.name});
    }
    return found;
}

}  // namespace

std::vector<std::string> end_left_behind(const std::filesystem::path& state,
                                         const std::filesystem::path& pids, LeftBehind which,
                                         std::chrono::milliseconds grace) {
    const auto left = find_left_behind(state, pids, which);
    for (const auto& process : left)
        ::kill(-process.group, SIGTERM);
    const auto deadline = Clock::now() + grace;
    std::vector<std::string> ended;
    for (const auto& process : left) {
        is_gone_by(process.pid, deadline);
        // Also what the leader has left of its group.
        ::kill(-process.group, SIGKILL);
        is_gone_by(process.pid, Clock::now() + std::chrono::seconds{5});
        if (std::ranges::find(ended, process.name) == ended.end()) ended.push_back(process.name);
    }
    return ended;
}

}  // namespace podctl::serve

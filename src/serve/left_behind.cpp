#include "podctl/base/own_process.hpp"
#include "podctl/serve/serve.hpp"

#include "pod_record.hpp"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace podctl::serve {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// For what is killed to end.
constexpr auto patience_with_the_killed = 5s;

// A process group, or what of one is proven to be podctl's.
class Left {
public:
    // `leader` is proven, so that its whole group is.
    Left(OwnProcess leader, std::string name)
        : name_{std::move(name)}, group_{leader.stat().group}, session_{leader.stat().session} {
        is_whole_ = leader.pid() == group_;
        processes_.push_back(std::move(leader));
        look_for_more();
    }

    const std::string& name() const { return name_; }
    bool holds(const OwnProcess& process) const {
        return std::ranges::any_of(processes_, [&](const OwnProcess& known) {
            return known.pid() == process.pid() &&
                   known.stat().start_time == process.stat().start_time;
        });
    }

    void signal(int signal) {
        for (const auto& process : processes_)
            process.signal(signal);
    }

    bool runs() const { return std::ranges::any_of(processes_, &OwnProcess::runs); }

    void wait_until(Clock::time_point deadline) const {
        for (const auto& process : processes_)
            process.wait_until(deadline);
    }

    // A process that was started meanwhile is of the same group as long as one of those before
    // runs, even when the leader has ended: until then no other group can get the number.
    void look_for_more() {
        if (!is_whole_) return;
        auto more = find_group(group_, session_);
        if (!runs()) return;
        for (auto& process : more)
            if (!holds(process)) processes_.push_back(std::move(process));
    }

private:
    std::string name_;
    pid_t group_, session_;
    bool is_whole_ = false;
    std::vector<OwnProcess> processes_;
};

std::vector<Left> find_left(const std::filesystem::path& state, const std::filesystem::path& pids,
                            LeftBehind which, const OnNotice& on_notice) {
    std::vector<Left> services, left;
    for (auto& service : find_left_services(pids, on_notice))
        services.emplace_back(std::move(service.leader), std::move(service.name));
    auto marked = find_marked(state);
    // The leader of a group stands for all of it.
    std::stable_partition(marked.begin(), marked.end(), [](const MarkedProcess& it) {
        return it.process.pid() == it.process.stat().group;
    });
    const auto is_held = [](const std::vector<Left>& all, const MarkedProcess& it) {
        return std::ranges::any_of(all, [&](const Left& some) { return some.holds(it.process); });
    };
    for (auto& it : marked) {
        if (!is_held(services, it) && !is_held(left, it))
            left.emplace_back(std::move(it.process), it.name);
    }
    if (which == LeftBehind::all)
        left.insert(left.end(), std::move_iterator{services.begin()},
                    std::move_iterator{services.end()});
    return left;
}

void kill(Left& left) {
    const auto deadline = Clock::now() + patience_with_the_killed;
    do {
        // Some may have been started between the look and the signal.
        left.look_for_more();
        left.signal(SIGKILL);
        left.wait_until(std::min(deadline, Clock::now() + 100ms));
    } while (left.runs() && Clock::now() < deadline);
}

}  // namespace

std::vector<std::string> end_left_behind(const std::filesystem::path& state,
                                         const std::filesystem::path& pids, LeftBehind which,
                                         std::chrono::milliseconds grace,
                                         const OnNotice& on_notice) {
    auto all = find_left(state, pids, which, on_notice);
    for (auto& left : all)
        left.signal(SIGTERM);
    const auto deadline = Clock::now() + grace;
    std::vector<std::string> ended;
    for (auto& left : all) {
        left.look_for_more();
        left.wait_until(deadline);
        kill(left);
        if (std::ranges::find(ended, left.name()) == ended.end()) ended.push_back(left.name());
    }
    return ended;
}

}  // namespace podctl::serve

#pragma once

#include "podctl/base/lease.hpp"

#include "lease_files.hpp"

#include <time.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

namespace podctl {

// Goes on while the machine is suspended, which the other machines that wait are not.
struct BootClock {
    using duration = std::chrono::nanoseconds;
    static duration now() {
        timespec now{};
        ::clock_gettime(CLOCK_BOOTTIME, &now);
        return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
    }
};

// A generation that has been claimed, while it is held.
class Lease::Keeper {
public:
    struct Claim {
        LeaseFiles files;
        std::uint64_t generation = 0;
        std::string identity;
        BootClock::duration begun{};
    };
    // Throws std::system_error where no thread can be had; then it is not released.
    Keeper(Claim claim, const Timing& timing);
    ~Keeper();
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;

    bool is_ours();
    std::stop_token lost() const { return lost_.get_token(); }
    std::uint64_t generation() const { return claim_.generation; }
    void remove_at_end() { removes_at_end_ = true; }

private:
    void keep(const std::stop_token& stop);
    void beat();
    void watch(const std::stop_token& stop);
    bool is_silent() const;
    void end();

    const Claim claim_;
    const Timing timing_;
    std::atomic<BootClock::duration::rep> last_beat_;  // when it began
    std::uint64_t beats_ = 0;                          // the keeping thread only
    std::stop_source lost_;
    std::atomic<bool> removes_at_end_ = false;
    std::jthread keeper_;
    // A thread of its own: the other one may hang with the volume.
    std::jthread watcher_;
};

}  // namespace podctl

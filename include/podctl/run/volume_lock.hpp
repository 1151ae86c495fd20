#pragma once

#include "podctl/base/lease.hpp"
#include "podctl/plan/plan.hpp"
#include "podctl/run/lock.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

namespace podctl::run {

// Held by the one podctl that changes what lies on the volume, which other pods may use as well: a
// file lock where the volume is a disk of this machine, a lease where it is a network's, since
// there a flock may be granted twice, or outlive its holder's machine by a day.
//
// A pod that has its environments on the volume holds it for its life; any other only until the
// volume is what the template says.
class VolumeLock {
public:
    // Told when it has to be waited for and about once a second from then on: who holds it, and for
    // how long this call has waited.
    using OnWait = std::function<void(const LockHolder&, std::chrono::milliseconds waited)>;
    enum class Wait { yes, no };

    // Throws Error{locked} that names the holder where it is not waited for, or keeps the volume
    // for its life; Error{interrupted}, Error{io}.
    VolumeLock(const plan::Places& places, Wait wait, const OnWait& on_wait,
               const std::stop_token& stop);

    // A stop is requested once another podctl has taken it over, since this one stood still, or the
    // volume was away, for too long. Never of a file lock.
    std::stop_token lost() const { return lease_ ? lease_->lost() : std::stop_token{}; }

    // A fresh look, to be taken before something is made to count. Throws Error{io}.
    bool is_ours() const;

private:
    std::optional<FileLock> file_;
    std::unique_ptr<Lease> lease_;
};

// Who holds it now; nullopt: nobody, or it cannot be told.
std::optional<LockHolder> holder_of_volume(const plan::Places& places);

}  // namespace podctl::run

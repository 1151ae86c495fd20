#pragma once

#include "podctl/event/event.hpp"
#include "podctl/plan/plan.hpp"
#include "podctl/run/volume_lock.hpp"

#include <atomic>
#include <mutex>
#include <optional>
#include <stop_token>

namespace podctl::pod {

// The volume, while this pod changes it. Waiting for it is told as the step `volume`.
class VolumeHold {
public:
    // Blocks until it is had. Throws what VolumeLock throws.
    VolumeHold(const plan::Places& places, run::VolumeLock::Wait wait, EventSink& events,
               std::stop_token stop);

    // Stops with the pod, and once the volume is lost to another podctl.
    std::stop_token token() const { return working_.get_token(); }
    // Throws Error{locked} when it was lost: a fresh look, until it is released.
    void require() const;
    // Others may have it now; by any thread, more than once.
    void release();

private:
    const plan::Places& places_;
    std::stop_source working_;
    std::atomic<bool> lost_ = false;
    mutable std::mutex mutex_;
    std::optional<run::VolumeLock> lock_;  // under mutex_
    const std::stop_callback<std::function<void()>> on_stop_;
    std::optional<std::stop_callback<std::function<void()>>> on_loss_;
};

}  // namespace podctl::pod

#include "volume_hold.hpp"

#include "podctl/base/error.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>

namespace podctl::pod {
namespace {

using std::chrono::milliseconds;

constexpr const char* volume_step = "volume";

// Tells of a wait, from its first news on, and of its end.
class Waiting {
public:
    Waiting(const plan::Places& places, EventSink& events) : places_(places), events_(events) {}

    void tell(const run::LockHolder& holder, milliseconds waited) {
        if (!waited_) events_.emit(event::StepStarted{volume_step});
        waited_ = waited;
        if (const auto who = to_string(holder); who != who_) {
            who_ = who;
            events_.emit(event::Notice{
                volume_step, fmt::format("{} is at work on {}: waiting until it lets go", who,
                                         places_.root.string())});
        }
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(waited).count();
        events_.emit(
            event::StepProgress{volume_step, static_cast<std::uint64_t>(seconds), {}, "seconds"});
    }
    void tell_end() {
        if (waited_) events_.emit(event::StepFinished{volume_step, *waited_, false});
    }
    void tell_failure(const Error& error) {
        if (waited_)
            events_.emit(
                event::StepFailed{volume_step, error.kind(), error.message(), error.hint(), false});
    }

private:
    const plan::Places& places_;
    EventSink& events_;
    std::string who_;
    std::optional<milliseconds> waited_;
};

}  // namespace

VolumeHold::VolumeHold(const plan::Places& places, run::VolumeLock::Wait wait, EventSink& events,
                       std::stop_token stop)
    : places_(places), on_stop_(stop, [this] { working_.request_stop(); }) {
    Waiting waiting{places, events};
    try {
        lock_.emplace(
            places, wait,
            [&](const run::LockHolder& holder, milliseconds waited) {
                waiting.tell(holder, waited);
            },
            stop);
    } catch (const Error& error) {
        waiting.tell_failure(error);
        throw;
    }
    waiting.tell_end();
    on_loss_.emplace(lock_->lost(), [this] {
        lost_ = true;
        working_.request_stop();
    });
}

void VolumeHold::require() const {
    {
        const std::scoped_lock lock{mutex_};
        if (!lost_ && (!lock_ || lock_->is_ours())) return;
    }
    throw Error{ErrorKind::locked,
                fmt::format("another podctl has taken over {}: this one stood still, or the volume "
                            "was away, for too long",
                            places_.root.string()),
                "run it again: what was done is kept"};
}

void VolumeHold::release() {
    std::optional<run::VolumeLock> released;
    const std::scoped_lock lock{mutex_};
    on_loss_.reset();
    released = std::exchange(lock_, std::nullopt);
}

}  // namespace podctl::pod

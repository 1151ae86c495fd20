#include "podctl/run/volume_lock.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/stop.hpp"
#include "podctl/machine/machine.hpp"

#include <fmt/format.h>

#include <functional>
#include <string>
#include <utility>

namespace podctl::run {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr const char* lease_name = "lease";

bool is_network(const plan::Places& places) {
    return machine::reach_of(places.root) != machine::Reach::local;
}

LockHolder from(const LeaseHolder& holder) {
    return {.host = holder.host, .pid = holder.pid, .since = holder.since};
}

Error held_by(const LockHolder& holder, const plan::Places& places) {
    return {ErrorKind::locked,
            fmt::format("another {} is at work on {}", to_string(holder), places.root.string()),
            holder.for_life
                ? "it has its environments there, so it keeps the volume until it ends: "
                  "`python: {disk: container}` in its template lets pods share one"
                : "it lets go once the volume is provisioned; without --no-wait it is waited for"};
}

FileLock::Until until_when(const plan::Places& places) {
    return places.keeps_environments_on_volume() ? FileLock::Until::its_end
                                                 : FileLock::Until::released;
}

// Nothing tells that a file lock is free. Throws Error{locked} where that may take for ever.
void wait_until(const std::function<bool()>& is_had, const plan::Places& places,
                VolumeLock::Wait wait, const VolumeLock::OnWait& on_wait,
                const std::stop_token& stop) {
    constexpr auto interval = 100ms;
    constexpr auto between_news = 1s;
    const auto began = Clock::now();
    auto told = Clock::time_point{};
    while (!is_had()) {
        const auto holder = last_holder_of_file_lock(places.lock);
        if (wait == VolumeLock::Wait::no || holder.for_life) throw held_by(holder, places);
        if (const auto now = Clock::now(); now - told >= between_news) {
            told = now;
            on_wait(holder, std::chrono::duration_cast<std::chrono::milliseconds>(now - began));
        }
        if (!wait_for(interval, stop)) throw Error{ErrorKind::interrupted, "stopped"};
    }
}

std::unique_ptr<Lease> wait_for_lease(const plan::Places& places, VolumeLock::Wait wait,
                                      const VolumeLock::OnWait& on_wait,
                                      const std::stop_token& stop) {
    // A podctl of an earlier version knows no lease, and has the file locked for as long as it
    // runs. It is looked at and not held: a machine that dies would keep it for a day.
    wait_until([&] { return !is_file_locked(places.lock); }, places, wait, on_wait, stop);
    if (auto lease = Lease::try_acquire(places.state, lease_name, {})) return lease;
    if (wait == VolumeLock::Wait::no)
        throw held_by(holder_of_volume(places).value_or(LockHolder{}), places);
    return Lease::acquire(
        places.state, lease_name, {},
        [&](const LeaseHolder& holder, std::chrono::milliseconds waited) {
            on_wait(from(holder), waited);
        },
        stop);
}

}  // namespace

VolumeLock::VolumeLock(const plan::Places& places, Wait wait, const OnWait& on_wait,
                       const std::stop_token& stop) {
    if (is_network(places))
        lease_ = wait_for_lease(places, wait, on_wait, stop);
    else
        wait_until(
            [&] {
                file_ = FileLock::try_lock(places.lock, until_when(places));
                return file_.has_value();
            },
            places, wait, on_wait, stop);
}

bool VolumeLock::is_ours() const {
    return !lease_ || lease_->is_ours();
}

std::optional<LockHolder> holder_of_volume(const plan::Places& places) {
    try {
        if (!is_network(places)) return holder_of_file_lock(places.lock);
        const auto holder = lease_holder(places.state, lease_name);
        return holder ? std::optional{from(*holder)} : std::nullopt;
    } catch (const Error&) {
        // Another user's, or the volume is away: then nobody can tell.
        return std::nullopt;
    }
}

}  // namespace podctl::run

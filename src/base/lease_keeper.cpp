#include "lease_keeper.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/stop.hpp"
#include "podctl/base/thread.hpp"

#include "lease_text.hpp"

#include <algorithm>

namespace podctl {

Lease::Keeper::Keeper(Claim claim, const Timing& timing)
    : claim_{std::move(claim)}, timing_{timing}, last_beat_{claim_.begun.count()} {
    const auto on_failure = [this](const std::exception_ptr&) { lost_.request_stop(); };
    keeper_ = start_thread([this](const std::stop_token& stop) { keep(stop); }, on_failure);
    watcher_ = start_thread([this](const std::stop_token& stop) { watch(stop); }, on_failure);
}

Lease::Keeper::~Keeper() {
    for (auto* thread : {&keeper_, &watcher_}) {
        thread->request_stop();
        thread->join();
    }
    try {
        end();
    } catch (const std::exception&) {
        // Whoever waits for it waits for as long as for one that has died.
    }
}

void Lease::Keeper::end() {
    // Who finds the file silent finds it for so long that this is lost, so nobody can be about to
    // make the next generation of one that is gone.
    if (removes_at_end_ && is_ours()) return claim_.files.remove(claim_.generation);
    claim_.files.rewrite(claim_.generation, lease_line(LeaseState::free, beats_ + 1),
                         claim_.identity);
}

bool Lease::Keeper::is_ours() {
    if (lost_.stop_requested()) return false;
    const bool is_highest = claim_.files.list().highest() == claim_.generation;
    // Asked last: the look itself may have hung.
    if (is_highest && !is_silent()) return true;
    lost_.request_stop();
    return false;
}

// For the last quarter of the others' patience it does not count on it any more: so long may take
// what was begun while it did.
bool Lease::Keeper::is_silent() const {
    const BootClock::duration last{last_beat_};
    return BootClock::now() - last >= timing_.patience * 3 / 4;
}

void Lease::Keeper::keep(const std::stop_token& stop) {
    while (wait_for(timing_.heartbeat, stop) && !lost_.stop_requested()) {
        try {
            if (is_ours()) beat();
        } catch (const Error&) {
            // A volume that is away for a moment says nothing of who holds it; silence does.
        }
    }
}

void Lease::Keeper::beat() {
    // Others may have seen it as soon as it was begun.
    const auto begun = BootClock::now();
    using enum LeaseFiles::Rewritten;
    switch (claim_.files.rewrite(claim_.generation, lease_line(LeaseState::held, ++beats_),
                                 claim_.identity)) {
        case yes:
            last_beat_ = begun.count();
            break;
        case gone:
            break;  // the next look tells
        case another:
            lost_.request_stop();
            break;
    }
}

void Lease::Keeper::watch(const std::stop_token& stop) {
    const auto interval = std::min(timing_.heartbeat, timing_.patience / 8);
    while (wait_for(interval, stop)) {
        if (!is_silent()) continue;
        lost_.request_stop();
        return;
    }
}

}  // namespace podctl

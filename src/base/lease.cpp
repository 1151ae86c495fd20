#include "podctl/base/lease.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/stop.hpp"

#include "lease_claims.hpp"
#include "lease_files.hpp"
#include "lease_keeper.hpp"
#include "lease_text.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace podctl {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Judges by what it writes whether the holder lives.
class HolderWatch {
public:
    explicit HolderWatch(milliseconds patience) : patience_{patience} {}

    // `begun`: when the look began.
    void see(const LeaseSight& sight, Clock::time_point begun) {
        const auto generation = sight.generations.highest();
        is_abandoned_ = false;
        if (!sight.text) return;
        if (is_first_ || generation != generation_ || *sight.text != text_) {
            is_alive_ = !is_first_;
            is_first_ = false;
            generation_ = generation;
            text_ = *sight.text;
            seen_ = Clock::now();
            return;
        }
        is_abandoned_ = begun - seen_ >= patience_;
    }
    bool is_abandoned() const { return is_abandoned_; }
    bool is_alive() const { return is_alive_; }

private:
    const milliseconds patience_;
    bool is_first_ = true;
    std::uint64_t generation_ = 0;
    std::string text_;
    Clock::time_point seen_;  // when the look ended that saw it first
    bool is_alive_ = false;
    bool is_abandoned_ = false;
};

// What can be seen, over a volume that may be away for a moment.
class PatientLook {
public:
    PatientLook(const LeaseClaims& claims, milliseconds patience)
        : claims_{claims}, patience_{patience} {}

    // nullopt: not now. Throws Error{io} at the first look, and once none was good for as long as
    // the patience.
    std::optional<LeaseSight> look() {
        try {
            auto sight = claims_.look();
            has_seen_ = true;
            failing_since_.reset();
            return sight;
        } catch (const Error& error) {
            const auto now = Clock::now();
            // It may have hung for long before it failed.
            if (!failing_since_) failing_since_ = now;
            const bool is_over = now - *failing_since_ >= patience_;
            if (error.kind() != ErrorKind::io || !has_seen_ || is_over) throw;
            return std::nullopt;
        }
    }

private:
    const LeaseClaims& claims_;
    const milliseconds patience_;
    bool has_seen_ = false;
    std::optional<Clock::time_point> failing_since_;
};

bool is_nobodys(const LeaseSight& sight) {
    if (sight.generations.highest() == 0) return true;
    return sight.text && (is_free_lease(*sight.text) || is_left_lease(*sight.text));
}

milliseconds interval_of_looks(const Lease::Timing& timing) {
    return std::clamp(std::min(timing.heartbeat, timing.patience) / 4, milliseconds{1},
                      milliseconds{1'000});
}

}  // namespace

std::unique_ptr<Lease> Lease::acquire(const std::filesystem::path& folder, const std::string& name,
                                      const Timing& timing, const OnWait& on_wait,
                                      const std::stop_token& stop) {
    LeaseClaims claims{folder, name, timing};
    PatientLook look{claims, timing.patience};
    HolderWatch watch{timing.patience};
    LeaseHolder holder;
    const auto started = Clock::now();
    do {
        if (stop.stop_requested()) break;
        const auto begun = Clock::now();
        const auto sight = look.look();
        if (sight) watch.see(*sight, begun);
        if (sight && (is_nobodys(*sight) || watch.is_abandoned())) {
            if (auto lease = claims.claim(*sight)) return lease;
        } else if (on_wait) {
            if (sight) holder = holder_in_lease(sight->text.value_or(""));
            holder.is_alive = watch.is_alive();
            on_wait(holder, std::chrono::duration_cast<milliseconds>(Clock::now() - started));
        }
    } while (wait_for(interval_of_looks(timing), stop));
    throw Error{ErrorKind::interrupted, "stopped"};
}

std::unique_ptr<Lease> Lease::try_acquire(const std::filesystem::path& folder,
                                          const std::string& name, const Timing& timing) {
    LeaseClaims claims{folder, name, timing};
    const auto sight = claims.look();
    // Who was there first holds it now.
    return is_nobodys(sight) ? claims.claim(sight) : nullptr;
}

Lease::Lease(std::unique_ptr<Keeper> keeper) : keeper_{std::move(keeper)} {}

Lease::~Lease() = default;

bool Lease::is_ours() const {
    return keeper_->is_ours();
}

std::stop_token Lease::lost() const {
    return keeper_->lost();
}

std::uint64_t Lease::generation() const {
    return keeper_->generation();
}

void Lease::remove_at_end() {
    keeper_->remove_at_end();
}

std::optional<LeaseHolder> lease_holder(const std::filesystem::path& folder,
                                        const std::string& name) {
    const auto sight = LeaseFiles{folder, name}.look();
    if (is_nobodys(sight)) return std::nullopt;
    return holder_in_lease(sight.text.value_or(""));
}

void remove_lease(const std::filesystem::path& folder, const std::string& name) {
    const auto generations = LeaseFiles{folder, name}.list();
    if (generations.own.empty() && generations.others.empty()) return;
    if (const auto lease = Lease::try_acquire(folder, name, {})) lease->remove_at_end();
}

}  // namespace podctl

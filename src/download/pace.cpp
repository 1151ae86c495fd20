#include "pace.hpp"

#include <algorithm>

namespace podctl::download {
namespace {

using namespace std::chrono_literals;

constexpr auto window = 150ms;
// A connection that is slow to begin must not keep the others' worth from being seen.
constexpr auto patience = 3s;
constexpr unsigned growth = 4;
constexpr double worthwhile = 1.25;  // a raise must bring a quarter more
constexpr double least_seconds_left = 0.5;
constexpr std::uint64_t least_left = 4u << 20;

double seconds(Pace::Clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

void Pace::limit(unsigned most, Clock::time_point now) {
    if (most < target_) fall_back(std::max(1u, most), now);
    window_start_.reset();
}

void Pace::fall_back(unsigned target, Clock::time_point now) {
    target_ = target;
    next_trial_ = now + pause_;
    pause_ *= 2;
    trial_.reset();
}

void Pace::start_window(const Sample& sample) {
    window_start_ = sample.now;
    window_received_ = sample.received;
    window_held_back_ = false;
}

bool Pace::is_worth_more(const Sample& sample, double rate) const {
    if (window_held_back_ || target_ >= most_ || sample.now < next_trial_) return false;
    if (rate >= static_cast<double>(enough_) || sample.remaining < least_left) return false;
    return static_cast<double>(sample.remaining) > rate * least_seconds_left;
}

void Pace::observe(const Sample& sample) {
    // At the end of a file there is not work for all.
    if (sample.active < target_) return window_start_.reset();
    const bool settled = sample.flowing >= sample.active ||
                         (trial_ && sample.now - trial_->since > patience && sample.flowing > 0);
    if (!settled || !window_start_) return start_window(sample);
    window_held_back_ |= sample.held_back;
    if (sample.now - *window_start_ < window) return;
    const double rate = static_cast<double>(sample.received - window_received_) /
                        seconds(sample.now - *window_start_);
    if (trial_ && rate < trial_->rate_before * worthwhile) {
        fall_back(trial_->before, sample.now);
    } else if (is_worth_more(sample, rate)) {
        trial_ = Trial{.before = target_, .rate_before = rate, .since = sample.now};
        target_ = std::min(most_, target_ * growth);
    } else {
        trial_.reset();
    }
    start_window(sample);
}

}  // namespace podctl::download

#include "podctl/event/meter.hpp"

#include "podctl/base/overloaded.hpp"

#include <algorithm>
#include <cmath>

namespace podctl {
namespace {

// Shorter stretches than this say little: bytes come in blocks.
constexpr std::chrono::duration<double> least_stretch{0.5};
// What is older than a few of these has no weight any more.
constexpr std::chrono::duration<double> smoothing{3};
// Nothing for so long: it waits for a connection, or for its server, and has no rate.
constexpr std::chrono::seconds longest_gap{5};
// A longer wait than this is as good as never.
constexpr double longest_eta = 100 * 3600;

std::optional<std::chrono::seconds> eta_of(const Reading& reading) {
    if (!reading.total) return std::nullopt;
    if (reading.remaining() == 0) return std::chrono::seconds{0};
    if (reading.rate < 1) return std::nullopt;
    const double left = std::ceil(static_cast<double>(reading.remaining()) / reading.rate);
    if (left > longest_eta) return std::nullopt;
    return std::chrono::seconds{static_cast<long>(left)};
}

}  // namespace

void Rate::observe(std::uint64_t count, Clock::time_point now) {
    if (!measured_) {
        measured_ = grew_ = now;
        count_ = count;
        return;
    }
    const std::chrono::duration<double> passed = now - *measured_;
    if (passed < least_stretch) return;
    const double fresh = static_cast<double>(count - count_) / passed.count();
    const double weight = is_known_ ? 1 - std::exp(-(passed / smoothing)) : 1;
    value_ += weight * (fresh - value_);
    is_known_ = true;
    if (count > count_) grew_ = now;
    if (now - grew_ >= longest_gap) {
        value_ = 0;
        is_known_ = false;
    }
    measured_ = now;
    count_ = count;
}

void Meter::observe(const Event& event, Clock::time_point now) {
    using State = Step::State;
    std::visit(overloaded{[&](const event::StepProgress& it) { advance(it, now); },
                          [&](const event::StepFinished& it) { end(it.step, State::done); },
                          [&](const event::StepFailed& it) { end(it.step, State::failed); },
                          [](const auto&) {}},
               event);
}

void Meter::advance(const event::StepProgress& progress, Clock::time_point now) {
    const bool idle =
        std::ranges::none_of(steps_, [](const auto& it) { return it.second.is_receiving(); });
    const auto [found, is_first] = steps_.try_emplace(progress.step);
    Step& step = found->second;
    // Less than before: the file changed at the server, and comes from its beginning.
    const std::uint64_t more =
        is_first || progress.done < step.done ? 0 : progress.done - step.done;
    step.state = Step::State::running;
    step.done = progress.done;
    step.total = progress.total;
    step.unit = progress.unit;
    step.detail = progress.detail;
    step.received += more;
    step.rate.observe(step.received, now);
    if (progress.unit != "bytes") return;
    if (idle) rate_.begin();
    received_ += more;
    rate_.observe(received_, now);
}

void Meter::end(const std::string& id, Step::State state) {
    const auto found = steps_.find(id);
    if (found == steps_.end()) return;
    Step& step = found->second;
    step.state = state;
    step.detail.clear();
    // What is missing of a failed one does not come in this run.
    if (state == Step::State::done && step.total) step.done = *step.total;
    step.total = step.done;
}

std::optional<Reading> Meter::of(const std::string& id) const {
    const auto found = steps_.find(id);
    if (found == steps_.end()) return std::nullopt;
    const Step& step = found->second;
    Reading reading{.done = step.done,
                    .total = step.total,
                    .unit = step.unit,
                    .rate = step.unit == "bytes" ? step.rate.per_second() : 0,
                    .detail = step.detail};
    if (step.unit == "bytes") reading.eta = eta_of(reading);
    return reading;
}

Overall Meter::all() const {
    Overall all;
    bool all_known = true;
    std::uint64_t total = 0;
    for (const auto& [id, step] : steps_) {
        if (step.unit != "bytes") continue;
        ++all.files;
        if (step.state == Step::State::done) ++all.files_done;
        if (step.is_running_file()) ++all.files_running;
        all.bytes.done += step.done;
        all_known = all_known && step.total.has_value();
        total += step.total.value_or(0);
    }
    if (all_known && all.files > 0) all.bytes.total = total;
    all.bytes.rate = rate_.per_second();
    all.bytes.eta = eta_of(all.bytes);
    return all;
}

}  // namespace podctl

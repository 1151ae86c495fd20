#include "run_ledger.hpp"

#include "podctl/base/overloaded.hpp"
#include "podctl/base/process.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/base/units.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace podctl::cli {
namespace {

constexpr std::size_t most_named = 3;
// What takes less is of no interest to anybody who waits.
constexpr std::chrono::seconds slow{2};

std::chrono::milliseconds passed(RunLedger::Clock::time_point since,
                                 RunLedger::Clock::time_point now) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now - since);
}

}  // namespace

void RunLedger::observe(const Event& event, Clock::time_point now) {
    const std::string launch{event::launch_step};
    std::visit(
        overloaded{[&](const event::RunStarted&) { began_ = now; },
                   [&](const event::StepStarted& it) { began(it.step, now); },
                   [&](const event::StepProgress& it) { began(it.step, now); },
                   [&](const event::StepSkipped& it) {
                       if (it.why == event::StepSkipped::Why::kept) ++kept_;
                   },
                   [&](const event::StepFinished& it) {
                       ++(it.changed ? changed_ : kept_);
                       finished(it.step, it.took);
                   },
                   [&](const event::StepFailed& it) {
                       running_.erase(it.step);
                       if (it.kind == ErrorKind::interrupted) interrupted_.push_back(it.step);
                   },
                   [&](const event::Launching&) { began(launch, now); },
                   [&](const event::Launched& it) { finished(launch, it.took); },
                   [&](const event::LaunchFailed&) { running_.erase(launch); }, [](const auto&) {}},
        event);
}

void RunLedger::began(const std::string& step, Clock::time_point now) {
    running_.try_emplace(step, now);
}

void RunLedger::finished(const std::string& step, std::chrono::milliseconds took) {
    running_.erase(step);
    took_.push_back({step, took});
}

Line RunLedger::ended(const event::RunFinished& run) const {
    const auto took = format_duration(run.took);
    const auto bytes = run.downloaded_bytes > 0
                           ? fmt::format(", {} downloaded", format_bytes({run.downloaded_bytes}))
                           : "";
    if (run.ok && changed_ == 0 && kept_ > 0)
        return {fmt::format("nothing to do: {} kept, looked at in {}", kept_, took),
                Line::Tone::good};
    if (run.ok) return {fmt::format("done in {}{}", took, bytes), Line::Tone::good};
    constexpr int by_signal = 128;
    if (run.exit_code <= by_signal)
        return {fmt::format("ended with exit code {} after {}{}", run.exit_code, took, bytes),
                Line::Tone::bad};
    auto under_way = interrupted_;
    for (const auto& [step, since] : running_)
        under_way.push_back(step);
    const auto signal = signal_name(run.exit_code - by_signal);
    if (under_way.empty())
        return {fmt::format("ended by {} after {}{}", signal, took, bytes), Line::Tone::bad};
    return {fmt::format("interrupted by {} after {}{}: {} {} under way; run it again to go on",
                        signal, took, bytes, list_first(under_way, most_named),
                        under_way.size() == 1 ? "was" : "were"),
            Line::Tone::bad};
}

Line RunLedger::launched(Clock::time_point now) const {
    auto took = took_;
    std::erase_if(took, [](const Took& it) { return it.time < slow; });
    std::ranges::stable_sort(took, std::ranges::greater{}, &Took::time);
    if (took.empty()) return {};
    std::vector<std::string> slowest;
    for (std::size_t i = 0; i < took.size() && i < most_named; ++i)
        slowest.push_back(fmt::format("{} {}", took[i].step, format_duration(took[i].time)));
    return {fmt::format("ready {} after the beginning; slowest: {}",
                        format_duration(passed(began_, now)), fmt::join(slowest, ", ")),
            Line::Tone::good};
}

Line RunLedger::still_running(Clock::time_point now) const {
    std::vector<std::string> steps;
    for (const auto& [step, since] : running_)
        steps.push_back(fmt::format("{} ({})", step, format_duration(passed(since, now))));
    if (steps.empty()) return {};
    return {"still running: " + list_first(steps, most_named)};
}

}  // namespace podctl::cli

#include "podctl/base/overloaded.hpp"

#include "events/events.hpp"
#include "output.hpp"

#include <fmt/format.h>

#include <chrono>
#include <ctime>

namespace podctl::cli {

std::string json_of(const Error& error) {
    return event_line(error);
}

std::string json_of(const event::StepProgress& progress, const Reading& measured) {
    return event_line(MeasuredProgress{progress.step, measured});
}

std::string json_of(const Overall& all) {
    return event_line(all);
}

std::string utc_now() {
    return utc_time(std::chrono::system_clock::now());
}

std::string utc_time(std::chrono::system_clock::time_point when) {
    const auto part =
        std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count() %
        1000;
    const std::time_t time = std::chrono::system_clock::to_time_t(when);
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                       utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, part);
}

std::string json_of(const Event& event) {
    // The launch is a step to those who look on.
    const std::string launch{event::launch_step};
    return std::visit(
        overloaded{
            [](const event::StepProgress& it) {
                return json_of(
                    it, {.done = it.done, .total = it.total, .unit = it.unit, .detail = it.detail});
            },
            [&](const event::Launching&) { return event_line(event::StepStarted{launch}); },
            [&](const event::Launched& it) {
                return event_line(event::StepFinished{launch, it.took, true});
            },
            [&](const event::LaunchFailed& it) {
                return event_line(
                    event::StepFailed{launch, ErrorKind::launch, it.message, it.hint});
            },
            [](const auto& it) { return event_line(it); }},
        event);
}

}  // namespace podctl::cli

#include "paced_output.hpp"

namespace podctl::cli {
namespace {

constexpr std::chrono::seconds json_interval{1};
constexpr std::chrono::seconds plain_interval{10};
// Whoever waits longer without a word takes it for dead.
constexpr std::chrono::seconds longest_silence{15};
// More files than this have one line together.
constexpr std::size_t most_plain_files = 4;

// The step that this event is the end of.
const std::string* ended_step(const Event& event) {
    if (const auto* finished = std::get_if<event::StepFinished>(&event)) return &finished->step;
    if (const auto* failed = std::get_if<event::StepFailed>(&event)) return &failed->step;
    return nullptr;
}

}  // namespace

bool is_shown(const Event& event, Verbosity verbosity) {
    if (verbosity != Verbosity::quiet) return true;
    return std::holds_alternative<event::StepFailed>(event) ||
           std::holds_alternative<event::LaunchFailed>(event) ||
           std::holds_alternative<event::NodeFailed>(event) ||
           std::holds_alternative<event::FileReady>(event) ||
           std::holds_alternative<event::WorkflowFinished>(event) ||
           std::holds_alternative<event::ServiceReady>(event);
}

std::vector<std::string> JsonLines::of(const Event& event, Meter::Clock::time_point now) {
    std::vector<std::string> lines;
    if (const auto* step = ended_step(event)) add_held_back(*step, lines);
    meter_.observe(event, now);
    if (const auto* progress = std::get_if<event::StepProgress>(&event)) {
        add_progress(*progress, now, lines);
    } else {
        lines.push_back(json_of(event));
    }
    return lines;
}

void JsonLines::add_progress(const event::StepProgress& progress, Meter::Clock::time_point now,
                             std::vector<std::string>& lines) {
    const auto [found, is_first] = steps_.try_emplace(progress.step);
    auto& told = found->second;
    if (is_first || now - told.at >= json_interval) {
        told = {.at = now};
        lines.push_back(json_of(progress, meter_.of(progress.step).value_or(Reading{})));
    } else {
        told.held_back = progress;
    }
    if (now - all_told_ < json_interval) return;
    const auto all = meter_.all();
    if (all.files_running < 2) return;
    all_told_ = now;
    lines.push_back(json_of(all));
}

void JsonLines::add_held_back(const std::string& step, std::vector<std::string>& lines) {
    const auto told = steps_.find(step);
    if (told == steps_.end()) return;
    if (const auto& progress = told->second.held_back)
        lines.push_back(json_of(*progress, meter_.of(step).value_or(Reading{})));
    steps_.erase(told);
}

std::vector<Line> lines_of(const Event& event, Verbosity verbosity, const RunLedger& ledger,
                           Meter::Clock::time_point now) {
    std::vector<Line> lines;
    if (const auto* run = std::get_if<event::RunFinished>(&event)) {
        lines.push_back(ledger.ended(*run));
    } else {
        lines.push_back(line_of(event, verbosity));
    }
    if (std::holds_alternative<event::Launched>(event)) lines.push_back(ledger.launched(now));
    std::erase_if(lines, [](const Line& line) { return line.text.empty(); });
    return lines;
}

std::vector<Line> PlainLines::of(const Event& event, Meter::Clock::time_point now) {
    auto lines = lines_of(event, now);
    if (!lines.empty()) last_line_ = now;
    return lines;
}

std::vector<Line> PlainLines::lines_of(const Event& event, Meter::Clock::time_point now) {
    std::vector<Line> lines;
    meter_.observe(event, now);
    ledger_.observe(event, now);
    if (!is_shown(event, verbosity_)) return lines;
    if (const auto* step = ended_step(event)) told_.erase(*step);
    const auto* progress = std::get_if<event::StepProgress>(&event);
    if (!progress) return cli::lines_of(event, verbosity_, ledger_, now);
    add_progress(*progress, now, lines);
    return lines;
}

std::vector<Line> PlainLines::of_silence(Meter::Clock::time_point now) {
    if (verbosity_ == Verbosity::quiet || now - last_line_ < longest_silence) return {};
    last_line_ = now;
    auto line = ledger_.still_running(now);
    if (line.text.empty()) return {};
    return {std::move(line)};
}

void PlainLines::add_progress(const event::StepProgress& progress, Meter::Clock::time_point now,
                              std::vector<Line>& lines) {
    // What takes less than the interval needs no progress at all.
    const auto is_due = [&](const std::string& what) {
        const auto [told, is_first] = told_.try_emplace(what, now);
        if (is_first || now - told->second < plain_interval) return false;
        told->second = now;
        return true;
    };
    const auto all = meter_.all();
    const bool is_file = progress.unit == "bytes";
    const bool has_line = !is_file || all.files_running <= most_plain_files;
    if (is_due(progress.step) && has_line)
        lines.push_back(line_of(progress, meter_.of(progress.step).value_or(Reading{})));
    if (!is_file) return;
    if (all.files_running < 2) {
        told_.erase("");
    } else if (is_due("")) {
        lines.push_back(line_of(all));
    }
}

}  // namespace podctl::cli

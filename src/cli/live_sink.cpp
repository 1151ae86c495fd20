#include "live_sink.hpp"

#include "podctl/base/printable.hpp"
#include "podctl/base/stop.hpp"
#include "podctl/base/thread.hpp"

#include "live_view.hpp"
#include "paced_output.hpp"
#include "put.hpp"
#include "terminal.hpp"

#include <fmt/format.h>
#include <unistd.h>

namespace podctl::cli {

using Clock = Meter::Clock;

LiveSink::LiveSink(const OutputOptions& options)
    : verbosity_(options.verbosity),
      color_out_(wants_color(options.color, STDOUT_FILENO)),
      color_err_(wants_color(options.color, STDERR_FILENO)) {
    // Without its live lines a run is still told of by its events.
    painter_ = start_thread([this](const std::stop_token& stop) { paint(stop); },
                            [](const std::exception_ptr&) {});
}

LiveSink::~LiveSink() {
    painter_.request_stop();
    painter_.join();
    const std::scoped_lock lock{mutex_};
    put_composed(To::err, erasure());
}

void LiveSink::emit(const Event& event) {
    const std::scoped_lock lock{mutex_};
    const auto now = Clock::now();
    meter_.observe(event, now);
    ledger_.observe(event, now);
    if (std::holds_alternative<event::StepStarted>(event) ||
        std::holds_alternative<event::Launching>(event) ||
        std::holds_alternative<event::StepProgress>(event)) {
        return;
    }
    if (!is_shown(event, verbosity_)) return;
    const auto lines = lines_of(event, verbosity_, ledger_, now);
    if (lines.empty()) return;
    put_composed(To::err, erasure());
    drawn_.clear();
    for (const auto& line : lines)
        put_composed(line.data ? To::out : To::err,
                     painted(line, line.data ? color_out_ : color_err_));
    draw();
}

void LiveSink::paint(const std::stop_token& stop) {
    do {
        const std::scoped_lock lock{mutex_};
        draw();
    } while (wait_for(std::chrono::milliseconds{120}, stop));
}

// In one write, over what stands there: a terminal that shows the erased lines for a moment
// flickers.
void LiveSink::draw() {
    std::vector<LiveStep> steps;
    for (const auto& [id, since] : ledger_.running()) {
        const auto running = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - since);
        steps.push_back(
            {.id = printable(id, Lines::one), .running = running, .progress = meter_.of(id)});
    }
    std::string text = erasure();
    drawn_.clear();
    for (const auto& line : live_lines(std::move(steps), meter_.all(), screen_size())) {
        text += line + "\n";
        drawn_.push_back(text_width(line));
    }
    if (!text.empty()) put_composed(To::err, text);
}

// A window that was made narrower has broken the lines into more.
std::string LiveSink::erasure() const {
    if (drawn_.empty()) return {};
    const std::size_t columns = screen_size().columns;
    std::size_t rows = 0;
    for (const std::size_t width : drawn_)
        rows += width > columns ? (width + columns - 1) / columns : 1;
    return fmt::format("\r\x1b[{}A\x1b[J", rows);
}

}  // namespace podctl::cli

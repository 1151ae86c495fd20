#include "podctl/base/debug_log.hpp"
#include "podctl/base/printable.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/base/stop.hpp"
#include "podctl/base/thread.hpp"

#include "live_sink.hpp"
#include "output.hpp"
#include "paced_output.hpp"
#include "put.hpp"
#include "terminal.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace podctl::cli {
namespace {

class JsonSink : public EventSink {
public:
    void emit(const Event& event) override {
        const std::scoped_lock lock{mutex_};
        for (const auto& line : lines_.of(event, Meter::Clock::now()))
            put_composed(To::out, line + "\n");
    }

private:
    std::mutex mutex_;
    JsonLines lines_;
};

class PlainSink : public EventSink {
public:
    explicit PlainSink(const OutputOptions& options)
        : color_out_(wants_color(options.color, STDOUT_FILENO)),
          color_err_(wants_color(options.color, STDERR_FILENO)),
          lines_(options.verbosity) {
        // Without its signs of life a run is still told of by its events.
        watcher_ = start_thread(
            [this](const std::stop_token& stop) {
                while (wait_for(std::chrono::seconds{1}, stop)) {
                    const std::scoped_lock lock{mutex_};
                    put_all(lines_.of_silence(Meter::Clock::now()));
                }
            },
            [](const std::exception_ptr&) {});
    }
    ~PlainSink() override {
        watcher_.request_stop();
        watcher_.join();
    }
    PlainSink(const PlainSink&) = delete;
    PlainSink& operator=(const PlainSink&) = delete;

    void emit(const Event& event) override {
        const std::scoped_lock lock{mutex_};
        put_all(lines_.of(event, Meter::Clock::now()));
    }

private:
    void put_all(const std::vector<Line>& lines) const {
        for (const auto& line : lines)
            put_composed(line.data ? To::out : To::err,
                         painted(line, line.data ? color_out_ : color_err_));
    }

    const bool color_out_, color_err_;
    std::mutex mutex_;
    PlainLines lines_;
    std::jthread watcher_;
};

}  // namespace

std::unique_ptr<EventSink> make_sink(const OutputOptions& options) {
    if (options.format == Format::json) return std::make_unique<JsonSink>();
    const char* term = std::getenv("TERM");
    const bool dumb = !term || std::string_view{term} == "dumb";
    const bool is_live = ::isatty(STDERR_FILENO) && !dumb && !options.shows_debug_lines;
    if (is_live && options.verbosity != Verbosity::quiet) {
        return std::make_unique<LiveSink>(options);
    }
    return std::make_unique<PlainSink>(options);
}

std::string debug_text(std::string_view room, const std::string& line) {
    // A script that a child is given has many, and says as much by its beginning.
    return fmt::format("debug {}: {}", room, printable(shorten_line(line, 500), Lines::one));
}

namespace {

std::optional<DebugLines>& shown_debug_lines() {
    static std::optional<DebugLines> shown;
    return shown;
}

}  // namespace

void show_debug_lines(Redactor redact) {
    shown_debug_lines().emplace(
        [redact = std::move(redact)](std::string_view room, const std::string& line) {
            put(To::err, debug_text(room, redact(line)) + "\n");
        });
}

void hide_debug_lines() {
    shown_debug_lines().reset();
}

void print_error(const Error& told, const OutputOptions& options, const Redactor& redact) {
    const Error error{told.kind(), redact(told.message()), redact(told.hint())};
    if (options.format == Format::json) put_composed(To::out, json_of(error) + "\n");
    std::string text = error.message();
    if (!error.hint().empty()) text += "\n  hint: " + error.hint();
    put(To::err, "podctl: " + text + "\n");
}

void print_notice(const std::string& text) {
    put(To::err, "podctl: " + text + "\n");
}

}  // namespace podctl::cli

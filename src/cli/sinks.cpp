#include "podctl/base/file.hpp"
#include "podctl/base/units.hpp"

#include "output.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace podctl::cli {
namespace {

using Clock = std::chrono::steady_clock;

// A reader that went away (a closed pipe) must not end a pod that runs.
void put(FILE* stream, const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stream);
    std::fflush(stream);
}

bool wants_color(Color color, int fd) {
    switch (color) {
        case Color::never:
            return false;
        case Color::always:
            return true;
        case Color::automatic:
            break;
    }
    const char* no_color = std::getenv("NO_COLOR");
    return (!no_color || !*no_color) && ::isatty(fd);
}

std::string painted(const Line& line, bool color) {
    if (!color) return line.text + "\n";
    switch (line.tone) {
        case Line::Tone::plain:
            return line.text + "\n";
        case Line::Tone::good:
            return "\x1b[32m" + line.text + "\x1b[0m\n";
        case Line::Tone::warning:
            return "\x1b[33m" + line.text + "\x1b[0m\n";
        case Line::Tone::bad:
            return "\x1b[31m" + line.text + "\x1b[0m\n";
    }
    return line.text + "\n";
}

bool shown(const Event& event, Verbosity verbosity) {
    if (verbosity != Verbosity::quiet) return true;
    return std::holds_alternative<event::StepFailed>(event) ||
           std::holds_alternative<event::NodeFailed>(event) ||
           std::holds_alternative<event::FileReady>(event) ||
           std::holds_alternative<event::ServiceReady>(event);
}

class JsonSink : public EventSink {
public:
    void emit(const Event& event) override {
        const auto line = json_of(event);
        if (!line) return;
        const std::scoped_lock lock{mutex_};
        if (const auto* progress = std::get_if<event::StepProgress>(&event)) {
            auto& last = progress_[progress->step];
            const auto now = Clock::now();
            if (now - last < std::chrono::seconds{1}) return;
            last = now;
        }
        put(stdout, *line + "\n");
    }

private:
    std::mutex mutex_;
    std::map<std::string, Clock::time_point> progress_;
};

// A line per event; progress of a step every ten seconds at most.
class PlainSink : public EventSink {
public:
    explicit PlainSink(const OutputOptions& options)
        : verbosity_(options.verbosity),
          color_out_(wants_color(options.color, STDOUT_FILENO)),
          color_err_(wants_color(options.color, STDERR_FILENO)) {}

    void emit(const Event& event) override {
        if (!shown(event, verbosity_)) return;
        const std::scoped_lock lock{mutex_};
        if (const auto* progress = std::get_if<event::StepProgress>(&event);
            progress && !due(progress->step))
            return;
        const Line line = line_of(event, verbosity_);
        if (line.text.empty()) return;
        put(line.data ? stdout : stderr, painted(line, line.data ? color_out_ : color_err_));
    }

private:
    bool due(const std::string& step) {
        const auto now = Clock::now();
        const auto [last, first] = progress_.try_emplace(step, now);
        if (first || now - last->second < std::chrono::seconds{10}) return false;
        last->second = now;
        return true;
    }

    const Verbosity verbosity_;
    const bool color_out_, color_err_;
    std::mutex mutex_;
    std::map<std::string, Clock::time_point> progress_;
};

// What runs, as lines at the bottom of the terminal that are drawn again; what has ended scrolls
// up.
class LiveSink : public EventSink {
public:
    explicit LiveSink(const OutputOptions& options)
        : verbosity_(options.verbosity), color_(wants_color(options.color, STDERR_FILENO)) {
        painter_ = std::jthread{[this](const std::stop_token& stop) { paint(stop); }};
    }
    ~LiveSink() override {
        painter_.request_stop();
        painter_.join();
        const std::scoped_lock lock{mutex_};
        erase();
    }

    void emit(const Event& event) override {
        const std::scoped_lock lock{mutex_};
        track(event);
        if (std::holds_alternative<event::StepStarted>(event) ||
            std::holds_alternative<event::StepProgress>(event)) {
            return;
        }
        if (!shown(event, verbosity_)) return;
        const Line line = line_of(event, verbosity_);
        if (line.text.empty()) return;
        erase();
        put(line.data ? stdout : stderr, painted(line, color_));
        draw();
    }

private:
    struct Running {
        Clock::time_point started = Clock::now();
        Clock::time_point measured = {};
        std::uint64_t done = 0, measured_done = 0;
        std::optional<std::uint64_t> total = {};
        std::string unit;
        double rate = 0;  // per second, smoothed
    };

    void track(const Event& event) {
        std::visit(
            overloaded{[&](const event::StepStarted& it) { running_[it.step] = {}; },
                       [&](const event::StepProgress& it) { measure(running_[it.step], it); },
                       [&](const event::StepFinished& it) { running_.erase(it.step); },
                       [&](const event::StepFailed& it) { running_.erase(it.step); },
                       [](const auto&) {}},
            event);
    }

    static void measure(Running& step, const event::StepProgress& progress) {
        step.done = progress.done;
        step.total = progress.total;
        step.unit = progress.unit;
        const auto now = Clock::now();
        if (step.measured == Clock::time_point{}) {
            step.measured = now;
            step.measured_done = step.done;
        }
        const std::chrono::duration<double> passed = now - step.measured;
        if (passed.count() < 0.5 || step.done < step.measured_done) return;
        const double rate = static_cast<double>(step.done - step.measured_done) / passed.count();
        step.rate = step.rate == 0 ? rate : 0.7 * step.rate + 0.3 * rate;
        step.measured = now;
        step.measured_done = step.done;
    }

    // The end of a long id tells more than its beginning.
    static std::string shortened(const std::string& id, std::size_t size) {
        if (id.size() <= size) return id;
        std::size_t start = id.size() - size + 3;
        // Not inside a UTF-8 sequence.
        while (start < id.size() && (static_cast<unsigned char>(id[start]) & 0xC0u) == 0x80u)
            ++start;
        return "..." + id.substr(start);
    }

    static std::string describe(const std::string& id, const Running& step) {
        const auto since =
            std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - step.started);
        if (step.unit.empty()) return fmt::format("{}  {}", id, format_duration(since));
        const bool bytes = step.unit == "bytes";
        const auto amount = [&](std::uint64_t count) {
            return bytes ? format_bytes({count}) : std::to_string(count);
        };
        if (!step.total || *step.total == 0)
            return fmt::format("{}  {} {}", id, amount(step.done), bytes ? "" : step.unit);
        const std::uint64_t filled = std::min<std::uint64_t>(20, step.done * 20 / *step.total);
        std::string text =
            fmt::format("{}  [{}{}] {}/{}", id, std::string(filled, '#'),
                        std::string(20 - filled, '.'), amount(step.done), amount(*step.total));
        if (bytes && step.rate >= 1) {
            const auto left =
                static_cast<double>(*step.total - std::min(step.done, *step.total)) / step.rate;
            text += fmt::format("  {}/s  {} left",
                                format_bytes({static_cast<std::uint64_t>(step.rate)}),
                                format_duration(std::chrono::seconds{static_cast<long>(left)}));
        }
        return text;
    }

    void paint(const std::stop_token& stop) {
        std::mutex waiting;
        std::condition_variable_any never;
        while (!stop.stop_requested()) {
            {
                const std::scoped_lock lock{mutex_};
                erase();
                draw();
            }
            std::unique_lock lock{waiting};
            never.wait_for(lock, stop, std::chrono::milliseconds{120}, [] { return false; });
        }
    }

    void draw() {
        winsize size{};
        const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
        const std::size_t width = known ? size.ws_col - 1u : 79;
        const std::size_t height = known && size.ws_row > 2 ? size.ws_row - 1u : 20;
        std::string text;
        for (const auto& [id, step] : running_) {
            if (drawn_ == height) break;
            text += describe(shortened(id, std::max<std::size_t>(12, width / 2)), step)
                        .substr(0, width) +
                    "\n";
            ++drawn_;
        }
        put(stderr, text);
    }

    void erase() {
        if (drawn_ == 0) return;
        put(stderr, fmt::format("\r\x1b[{}A\x1b[J", drawn_));
        drawn_ = 0;
    }

    const Verbosity verbosity_;
    const bool color_;
    std::mutex mutex_;
    std::map<std::string, Running> running_;
    std::size_t drawn_ = 0;
    std::jthread painter_;
};

}  // namespace

std::unique_ptr<EventSink> make_sink(const OutputOptions& options) {
    if (options.format == Format::json) return std::make_unique<JsonSink>();
    const char* term = std::getenv("TERM");
    const bool dumb = !term || std::string_view{term} == "dumb";
    if (::isatty(STDERR_FILENO) && !dumb && options.verbosity != Verbosity::quiet) {
        return std::make_unique<LiveSink>(options);
    }
    return std::make_unique<PlainSink>(options);
}

Event redacted(Event event, const Redactor& redact) {
    const auto clean = [&](std::string& text) { text = redact(text); };
    std::visit(overloaded{[&](event::StepSkipped& it) { clean(it.reason); },
                          [&](event::StepFailed& it) {
                              clean(it.message);
                              clean(it.hint);
                          },
                          [&](event::StepRetrying& it) { clean(it.reason); },
                          [&](event::Notice& it) { clean(it.message); },
                          [&](event::ServiceRestarting& it) { clean(it.reason); },
                          [&](event::ServiceOutput& it) { clean(it.line); },
                          [&](event::NodeFailed& it) { clean(it.reason); }, [](auto&) {}},
               event);
    return event;
}

void print_error(const Error& told, const OutputOptions& options, const Redactor& redact) {
    const Error error{told.kind(), redact(told.message()), redact(told.hint())};
    if (options.format == Format::json) put(stdout, json_of(error) + "\n");
    std::string text = error.message();
    if (!error.hint().empty()) text += "\n  hint: " + error.hint();
    put(stderr, "podctl: " + text + "\n");
}

}  // namespace podctl::cli

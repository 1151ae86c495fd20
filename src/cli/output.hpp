#pragma once

#include "podctl/event/event.hpp"
#include "podctl/event/meter.hpp"
#include "podctl/event/redact.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace podctl::cli {

enum class Format { text, json };
enum class Verbosity { quiet, normal, verbose };
enum class Color { automatic, never, always };

struct OutputOptions {
    Format format = Format::text;
    Verbosity verbosity = Verbosity::normal;
    Color color = Color::automatic;
    // A terminal's live lines would be torn apart by the debug lines.
    bool shows_debug_lines = false;
};

// A debug line without its secrets, as one line of a log or a terminal.
std::string debug_text(std::string_view room, const std::string& line);
// From now on the debug lines of all rooms (podctl/base/debug_log.hpp) go to stderr, without the
// secrets; called again once more of them are known.
void show_debug_lines(Redactor redact);
// No more: stderr is somebody else's.
void hide_debug_lines();

// Events as text (live lines on a terminal, plain lines elsewhere) or as JSON Lines on stdout.
// Diagnostics go to stderr; what services print and their URLs go to stdout.
std::unique_ptr<EventSink> make_sink(const OutputOptions& options);

// "2026-01-31T12:00:00.123Z".
std::string utc_now();
std::string utc_time(std::chrono::system_clock::time_point when);

// The event as one JSON object (events/events.hpp) without its end of line.
std::string json_of(const Event& event);
// step.progress with what was measured; run.progress, of all files together.
std::string json_of(const event::StepProgress& progress, const Reading& measured);
std::string json_of(const Overall& all);

// {"event": "error", …}: an error that belongs to no step.
std::string json_of(const Error& error);

// What a person reads of an event, one or more lines without the last end of line; empty: nothing.
// Names and texts of others are in it as they came: painted() makes them safe.
struct Line {
    std::string text;
    enum class Tone { plain, good, warning, bad } tone = Tone::plain;
    bool data = false;  // for stdout
    // What a program prints for people keeps its colours.
    enum class From { podctl, program } from = From::podctl;
};
Line line_of(const Event& event, Verbosity verbosity);
// "node 4 (CheckpointLoaderSimple), ckpt_name: the model x.safetensors is missing".
std::string text_of(const event::WorkflowFault& fault);
// "model:x: 1.2 GB of 8.4 GB (14%), 85.0 MB/s, 1m25s left", and the same "in all".
Line line_of(const event::StepProgress& progress, const Reading& measured);
Line line_of(const Overall& all);
// "45s", "1m25s", "2h05m".
std::string format_eta(std::chrono::seconds eta);
std::string format_rate(double bytes_per_second);

// An error that ended a command before or beside any step.
void print_error(const Error& error, const OutputOptions& options, const Redactor& redact = {});

// Something to be said beside what a command prints, to stderr.
void print_notice(const std::string& text);

}  // namespace podctl::cli

#include "podctl/base/shorten.hpp"

#include "live_sink.hpp"
#include "output.hpp"
#include "paced_output.hpp"
#include "put.hpp"
#include "terminal.hpp"

#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <string_view>

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
          lines_(options.verbosity) {}

    void emit(const Event& event) override {
        const std::scoped_lock lock{mutex_};
        for (const auto& line : lines_.of(event, Meter::Clock::now()))
            put_composed(line.data ? To::out : To::err,
                         painted(line, line.data ? color_out_ : color_err_));
    }

private:
    const bool color_out_, color_err_;
    std::mutex mutex_;
    PlainLines lines_;
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
    // Shortened afterwards: half a secret would not be known for one.
    const auto clean = [&](std::string& text) { text = shorten_message(redact(text)); };
    // `get` names a step by its source, whose URL may hold a password.
    std::visit(
        [&](auto& it) {
            if constexpr (requires { it.step; }) clean(it.step);
            if constexpr (requires { it.path; }) clean(it.path);
            if constexpr (requires { it.template_path; }) clean(it.template_path);
            if constexpr (requires { it.root; }) clean(it.root);
        },
        event);
    std::visit(overloaded{[&](event::ServiceReady& it) { clean(it.url); },
                          [&](event::StepSkipped& it) { clean(it.reason); },
                          [&](event::StepFailed& it) {
                              clean(it.message);
                              clean(it.hint);
                          },
                          [&](event::StepRetrying& it) { clean(it.reason); },
                          [&](event::Notice& it) { clean(it.message); },
                          [&](event::ServiceRestarting& it) { clean(it.reason); },
                          [&](event::ServiceOutput& it) { clean(it.line); },
                          [&](event::NodeFailed& it) { clean(it.reason); },
                          [&](event::SmokeFinished& it) {
                              for (auto* text : {&it.url, &it.workflow, &it.prompt_id})
                                  clean(*text);
                              for (auto& its : it.outputs)
                                  for (auto* text : {&its.node, &its.class_type, &its.file,
                                                     &its.url, &its.type, &its.format})
                                      clean(*text);
                              for (auto& its : it.faults)
                                  for (auto* text : {&its.node, &its.class_type, &its.input,
                                                     &its.message, &its.hint, &its.details})
                                      clean(*text);
                          },
                          [](auto&) {}},
               event);
    return event;
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

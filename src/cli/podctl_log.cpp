#include "podctl_log.hpp"

#include "podctl/base/printable.hpp"
#include "podctl/serve/log.hpp"

#include "output.hpp"
#include "paced_output.hpp"

#include <fmt/format.h>

#include <utility>

namespace podctl::cli {
namespace {

// Of a run that waits for nothing before it begins there are a few.
constexpr std::size_t most_before = 100;

}  // namespace

std::filesystem::path PodctlLog::file_in(const std::filesystem::path& logs) {
    return logs / (std::string{serve::podctl_log} + ".log");
}

PodctlLog::PodctlLog(EventSink& next, const std::filesystem::path& logs, Redactor redact)
    : next_{next},
      redact_{std::move(redact)},
      file_{file_in(logs),
            [this](const std::string& text) {
                next_.emit(event::Notice{"", text});
            }},
      lines_{[this](std::string_view room, const std::string& line) {
          add(debug_text(room, redact_(line)));
      }} {}

void PodctlLog::emit(const Event& event) {
    // Services have logs of their own.
    if (!std::holds_alternative<event::ServiceOutput>(event)) {
        const std::scoped_lock lock{ledger_mutex_};
        const auto now = Meter::Clock::now();
        ledger_.observe(event, now);
        if (!std::holds_alternative<event::StepProgress>(event))
            for (const auto& line : lines_of(event, Verbosity::verbose, ledger_, now))
                add(line.text);
    }
    // Whoever waits for an event finds it in the log.
    next_.emit(event);
}

void PodctlLog::begin() {
    const std::scoped_lock lock{mutex_};
    if (std::exchange(state_, State::written) != State::before) return;
    file_.open();
    for (const auto& text : before_)
        write(text);
    before_.clear();
}

void PodctlLog::end() {
    const std::scoped_lock lock{mutex_};
    state_ = State::ended;
}

void PodctlLog::add(std::string_view text) {
    const std::scoped_lock lock{mutex_};
    switch (state_) {
        case State::before:
            if (before_.size() < most_before) before_.emplace_back(text);
            break;
        case State::written:
            write(text);
            break;
        case State::ended:
            break;
    }
}

// A process that is killed has told all up to then.
void PodctlLog::write(std::string_view text) {
    file_.write(printable(text));
    file_.flush();
}

}  // namespace podctl::cli

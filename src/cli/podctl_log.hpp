#pragma once

#include "podctl/base/debug_log.hpp"
#include "podctl/event/event.hpp"
#include "podctl/event/log_file.hpp"
#include "podctl/event/redact.hpp"

#include "run_ledger.hpp"

#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::cli {

// What a run tells, whatever of it is shown, and the debug lines of all rooms, without the secrets:
// <logs>/podctl.log. Events go on to the next sink.
class PodctlLog : public EventSink {
public:
    PodctlLog(EventSink& next, const std::filesystem::path& logs, Redactor redact);

    void emit(const Event& event) override;
    // Writes what has come so far and all that comes. Not before this process is the only one that
    // works on the root: until then the log may be another's.
    void begin();
    // Nothing is written from now on: the log may be another's again.
    void end();
    // Where it is, as given.
    static std::filesystem::path file_in(const std::filesystem::path& logs);

private:
    void add(std::string_view text);
    void write(std::string_view text);

    EventSink& next_;
    const Redactor redact_;
    std::mutex ledger_mutex_;
    RunLedger ledger_;  // under ledger_mutex_
    std::mutex mutex_;
    // Under mutex_:
    LogFile file_;
    enum class State { before, written, ended } state_ = State::before;
    std::vector<std::string> before_;  // it began
    // Last: it is called from its construction on.
    const DebugLines lines_;
};

}  // namespace podctl::cli

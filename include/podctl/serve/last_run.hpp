#pragma once

#include "podctl/base/error.hpp"
#include "podctl/event/event.hpp"
#include "podctl/serve/serve.hpp"

#include <chrono>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

// <state>/last-run.json: how the last `up` of a pod ended, for who comes when it has (`status`).
namespace podctl::serve {

struct LastRun {
    struct End {
        int exit_code = 0;
        std::chrono::system_clock::time_point at = {};
    };
    struct Failure {
        std::string step;  // "launch" for the services; empty: it belongs to none
        std::string message, hint;
    };

    std::string template_path, version;
    std::chrono::system_clock::time_point started = {};
    std::optional<End> end = {};  // absent: it runs, or was killed, or its machine has stopped
    std::vector<Failure> failures = {};  // what the run failed by; optional packs do not count
};

// Keeps the record of the run whose events pass through it. Any thread may call it. What cannot be
// written (a full disk) is told as a notice, and costs the run nothing else.
class LastRunRecord : public EventSink {
public:
    explicit LastRunRecord(EventSink& next) : next_{next} {}

    // From now on this run's record is the pod's. To be called by the holder of the root's lock.
    void begin(const std::filesystem::path& state);
    // What ended the run and belongs to no step, without secrets; before RunFinished.
    void fail(const Error& error);
    void emit(const Event& event) override;

private:
    bool observe(const Event& event);
    void write();

    EventSink& next_;
    std::mutex mutex_;
    LastRun run_;
    std::filesystem::path file_;  // empty: it is not the pod's
};

// nullopt: there was none, or its record is not to be believed, which a notice says. A record that
// is damaged is none. Throws Error{io}.
std::optional<LastRun> find_last_run(const std::filesystem::path& state,
                                     const OnNotice& on_notice = {});

}  // namespace podctl::serve

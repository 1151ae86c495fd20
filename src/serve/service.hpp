#pragma once

#include "podctl/base/process.hpp"
#include "podctl/base/wait.hpp"
#include "podctl/event/event.hpp"
#include "podctl/event/log_file.hpp"
#include "podctl/serve/log.hpp"
#include "podctl/serve/serve.hpp"

#include "probe.hpp"
#include "service_output.hpp"

#include <chrono>
#include <deque>
#include <optional>
#include <string>

namespace podctl::serve {

using Clock = std::chrono::steady_clock;

// What every service of a pod uses.
struct Surroundings {
    const PodOptions& options;
    http::Client& http;
    EventSink& events;
    const WakeUp& wake;  // the pod's loop
};

// One service and where it stands. The pod's loop calls tick() after every wait; nothing here
// blocks.
//
//   waiting → starting → ready → ending → backing off → starting …
//                    ↘         ↗        ↘ stopped
class Service {
public:
    using State = ServiceState;

    Service(ServiceSpec spec, const Surroundings& surroundings);
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    const ServiceSpec& spec() const { return spec_; }
    State state() const { return state_; }
    bool was_ready() const { return was_ready_; }  // of this or an earlier run
    // From the moment that a restart is asked for until it is ready again.
    bool is_restarting() const { return restarting_; }
    bool is_alive() const { return state_ != State::waiting && state_ != State::stopped; }
    // Set when it failed for good.
    const std::optional<PodEnd>& failure() const { return failure_; }
    RunningService describe() const;

    int exit_fd() const;    // -1: nothing to wait for
    int output_fd() const;  // -1
    // The child that this service waits for; 0: none.
    pid_t child_pid() const;
    std::optional<Clock::time_point> next_deadline() const;

    void start();
    // TERM, and KILL after `grace`. A service that does not run is stopped at once.
    void stop(std::chrono::milliseconds grace);
    // Ends it, as stop() does, and makes it wait for its start again. That is no failure, and
    // forgives those before.
    void restart();
    void tick();

private:
    // Why a run is ended before its time.
    enum class Ending { by_itself, stop_requested, restart_requested, not_ready_in_time };

    void take_line(std::string_view line);
    void report(std::string_view line);  // podctl's own words, to the log alone
    void read_output();
    void become_ready();
    void check_exit();
    void end_group(Ending why, std::chrono::milliseconds grace);
    void check_group();
    void kill_group();
    void settle();
    bool take_reboot_marker();
    void run_ended(const std::string& reason, bool failed);
    void start_again(std::chrono::milliseconds wait, const std::string& reason);
    void report_restart(std::chrono::milliseconds wait, const std::string& reason);
    void fail(const std::string& what);
    std::string name_in_message() const;
    std::string hint() const;
    std::chrono::milliseconds next_wait() const;

    ServiceSpec spec_;
    Surroundings surroundings_;
    LogFile log_;
    State state_ = State::waiting;
    bool was_ready_ = false;
    bool restarting_ = false;
    std::optional<PodEnd> failure_;

    // Of the run that is on, or was last.
    std::optional<Child> child_;
    std::optional<ReadinessProbe> probe_;
    std::string last_answer_;  // of a probe that was given up
    OutputLines lines_;
    bool output_ended_ = false;
    std::deque<std::string> last_lines_;  // redacted
    Clock::time_point started_at_;
    std::optional<Clock::time_point> ready_at_;
    std::optional<Clock::time_point> ready_by_;  // goes on over a reboot before the first readiness
    Ending ending_ = Ending::by_itself;
    std::optional<ExitStatus> status_;
    Clock::time_point kill_at_;
    bool killed_ = false;

    int starts_ = 0;
    std::chrono::system_clock::time_point started_on_ = {};  // the wall clock's started_at_
    std::string last_exit_;
    int failures_ = 0;  // in a row
    Clock::time_point restart_at_;
};

}  // namespace podctl::serve

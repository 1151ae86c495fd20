#pragma once

#include "podctl/base/process.hpp"
#include "podctl/base/wait.hpp"
#include "podctl/event/event.hpp"
#include "podctl/event/log_file.hpp"
#include "podctl/serve/log.hpp"
#include "podctl/serve/serve.hpp"

#include "preparation.hpp"
#include "probe.hpp"
#include "service_machine.hpp"
#include "service_output.hpp"

#include <chrono>
#include <deque>
#include <optional>
#include <string>

namespace podctl::serve {

// What every service of a pod uses.
struct Surroundings {
    const PodOptions& options;
    http::Client& http;
    EventSink& events;
    const WakeUp& wake;  // the pod's loop
};

// One service: its process, its log and its probe, as ServiceMachine says. The pod's loop calls
// tick() after every wait; nothing here blocks.
class Service {
public:
    using State = ServiceState;

    Service(ServiceSpec spec, const Surroundings& surroundings);
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    const ServiceSpec& spec() const { return spec_; }
    State state() const { return machine_.state(); }
    bool was_ready() const { return machine_.was_ready(); }
    bool is_restarting() const { return machine_.is_restarting(); }
    bool is_alive() const { return state() != State::waiting && state() != State::stopped; }
    // Set when it failed for good.
    const std::optional<PodEnd>& failure() const { return failure_; }
    RunningService describe() const;

    int exit_fd() const;    // -1: nothing to wait for
    int output_fd() const;  // -1
    // The child that this service waits for; 0: none.
    pid_t child_pid() const;
    std::optional<Clock::time_point> next_deadline() const;

    // Its process, or what has to be done before it.
    void start();
    // TERM, and KILL after `grace`. A service that does not run is stopped at once.
    void stop(std::chrono::milliseconds grace);
    // Ends it, as stop() does, and makes it wait for its start again. That is no failure, and
    // forgives those before.
    void restart();
    void tick();

private:
    void take_line(std::string_view line);
    void report(std::string_view line);  // podctl's own words, to the log alone
    void read_output();
    void apply(ServiceMachine::Effect effect);
    Command prepared_command();
    void spawn_with(const Command& command);
    void tell_ready();
    void check_exit();
    bool is_group_gone() const;
    void settle();
    ServiceMachine::Reboot take_reboot_marker();
    void report_restart(const ServiceMachine::Verdict& verdict);
    void fail(const ServiceMachine::Verdict& verdict);
    std::string name_in_message() const;
    std::string hint(ServiceMachine::Verdict::Cause cause) const;

    ServiceSpec spec_;
    Surroundings surroundings_;
    LogFile log_;
    ServiceMachine machine_;
    std::optional<PodEnd> failure_;
    std::optional<Preparation> preparation_;  // of the start that comes

    // Of the run that is on, or was last.
    std::optional<Child> child_;
    std::optional<ReadinessProbe> probe_;
    std::string last_answer_;  // of a probe that was given up
    OutputLines lines_;
    bool output_ended_ = false;
    std::deque<std::string> last_lines_;  // redacted
    Clock::time_point started_at_;

    int starts_ = 0;
    std::chrono::system_clock::time_point started_on_ = {};  // the wall clock's started_at_
    std::string last_exit_;
};

}  // namespace podctl::serve

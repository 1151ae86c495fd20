#pragma once

#include "podctl/base/process.hpp"
#include "podctl/serve/serve.hpp"
#include "podctl/template/template.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace podctl::serve {

using Clock = std::chrono::steady_clock;

// What decides about a service's runs.
struct ServicePolicy {
    tmpl::Restart restart = tmpl::Restart::on_failure;
    BackOff back_off = {};
    enum class ReadyBy { start, answer } ready_by = ReadyBy::answer;
    std::chrono::milliseconds ready_timeout{120'000};
    // Between TERM and KILL, where no stop says another one.
    std::chrono::milliseconds grace{8'000};
};

// Where one service stands, and what is to be done about it. Pure: it is told what has happened and
// what time it is, and says what to do; Service does it.
//
//   waiting → preparing → starting → ready → ending → backing off → preparing …
//                                 ↘         ↗      ↘ stopped, or waiting
//
// waiting      No process. It starts as soon as the pod lets it: at first, and after a restart that
//              somebody asked for.
// preparing    What its start needs done before it is done (ServiceSpec::prepare). There is no
// process
//              yet, so a stop ends it at once, and a restart begins it anew. Only where there is
//              something to do.
// starting     Its process runs and has not answered yet. The time for that goes on over a reboot
//              that the service asks for before it was ready. What needs no answer is ready with
//              its start.
// ready        It has answered. Nobody asks again; only the end of its process changes anything.
// ending       It got TERM, since a stop or a restart was asked for or it was not ready in time; or
//              its leader ended by itself, and the rest of its group got KILL, for nothing guides
//              it. After the grace comes KILL, again and again until the leader has ended. What
//              is left of its group two seconds after that KILL is given up.
// backing off  The run is over, and the next begins after a wait: none for a reboot that it asked
//              for, else the policy's first, doubled for each further failure of a row. A healthy
//              run ends the row, and so do an end that is no failure and a restart that somebody
//              asks for.
// stopped      No run is on, and none comes unless a restart is asked for: it was stopped, it ended
//              well and is not to run always, or it has failed for good. That is the case when it
//              was never ready, may not be restarted, or failed too often in a row.
class ServiceMachine {
public:
    using State = ServiceState;
    using Time = Clock::time_point;

    explicit ServiceMachine(ServicePolicy policy) : policy_{policy} {}

    State state() const { return state_; }
    bool was_ready() const { return was_ready_; }  // of this or an earlier run
    // From the moment that a restart is asked for until it is ready again.
    bool is_restarting() const { return restarting_; }
    // How the process ended of the run that is on, or was last.
    const std::optional<ExitStatus>& status() const { return status_; }
    // When tick() has something to do.
    std::optional<Time> next_deadline() const;

    // What is to be done to the service's process group, now.
    enum class Effect { none, spawn, terminate, kill, settle };

    // What people and time ask for. `settle`: the run counts as over (see ended()).
    Effect stop(Time now, std::chrono::milliseconds grace);
    Effect restart(Time now);
    Effect tick(Time now);

    // What happened to the process, and before it is there.
    void preparing();
    void started(Time now);
    void not_started();
    void answered(Time now);
    Effect exited(const ExitStatus& status, Time now);

    // What becomes of the service once a run is over.
    struct Verdict {
        enum class Kind { stops, restarts, fails } kind = Kind::stops;
        std::string reason = {};  // of a restart or a failure, for people
        enum class Cause { exit, killed_from_elsewhere, not_ready_in_time } cause = Cause::exit;
        std::chrono::milliseconds wait{0};  // before the restart
        int attempt = 0;                    // in a row, of the run that comes
    };
    enum class Reboot { none, asked_for };
    // Its process has exited and its group is gone, or given up. `reboot`: it has asked for one.
    Verdict ended(Time now, Reboot reboot);

private:
    // Why a run is ended before its time.
    enum class Ending { by_itself, stop_requested, restart_requested, not_ready_in_time };

    Effect end_run(Ending why, Time now, std::chrono::milliseconds grace);
    Effect kill(Time now);
    Verdict verdict_of_end(Time now);
    Verdict start_again(std::string reason, std::chrono::milliseconds wait, Time now);
    Verdict fail(std::string reason);
    std::chrono::milliseconds next_wait() const;

    const ServicePolicy policy_;
    State state_ = State::waiting;
    bool was_ready_ = false;
    bool restarting_ = false;
    int failures_ = 0;  // in a row

    // Of the run that is on, or was last.
    std::optional<ExitStatus> status_;
    std::optional<Time> ready_at_;
    std::optional<Time> ready_by_;  // goes on over a reboot before the first readiness
    Ending ending_ = Ending::by_itself;
    Time kill_at_ = {};
    bool killed_ = false;

    Time restart_at_ = {};
};

}  // namespace podctl::serve

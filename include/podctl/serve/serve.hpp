#pragma once

#include "podctl/base/process.hpp"
#include "podctl/event/event.hpp"
#include "podctl/event/redact.hpp"
#include "podctl/http/http.hpp"
#include "podctl/template/template.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::serve {

// When a service counts as ready.
struct Readiness {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  // 0: it is ready once it runs
    std::string http_path;   // a GET must answer 200 … 399; empty: the port accepts a connection
    std::string url;         // what people are told: "http://0.0.0.0:9000"
    std::chrono::milliseconds timeout{120'000};
};

using tmpl::comfyui_service;

struct ServiceSpec {
    std::string name;  // comfyui_service, or the template's
    Command command;
    std::vector<std::string> after;  // started once these are ready
    tmpl::Restart restart = tmpl::Restart::on_failure;
    Readiness ready;
    // Sees every line of output, before redaction.
    std::function<void(std::string_view line)> on_line = {};
    // ComfyUI-Manager's restart button touches this file and exits 0: then it is started again
    // (comfy-cli's protocol). Empty: none.
    std::filesystem::path reboot_marker = {};
    // What has to be done before each start, restarts included: it returns the command of that
    // start. Called on a thread of its own, never twice at once, so it may take its time; it has to
    // end soon once a stop is requested. What it throws is told, and `command` is started. Empty:
    // nothing, and `command` it is.
    std::function<Command(const std::stop_token& stop)> prepare = {};
};

struct BackOff {
    std::chrono::milliseconds first{1'000};  // doubled after each failure
    std::chrono::milliseconds longest{60'000};
    int give_up_after = 5;  // failures in a row; a run of `healthy` ends the row
    std::chrono::milliseconds healthy{600'000};
};

class PodControl;

struct PodOptions {
    std::filesystem::path logs;  // <service>.log, rotated
    std::filesystem::path pids;  // pod.json: names, pids, start times and URLs of what runs
    Redactor redact = {};
    BackOff back_off = {};
    // Between TERM and KILL; for all services of a pod that ends together. `docker stop` kills PID
    // 1 after 10 s, and podctl has to end behind them.
    std::chrono::milliseconds grace{8'000};
    PodControl* control = nullptr;  // who asks and steers from outside; null: nobody
};

// How the pod ended.
struct PodEnd {
    enum class Cause { finished, failed, stopped } cause = Cause::finished;
    std::string message;  // failed: which service, and how
    std::string hint;
};

// Runs the services until the pod ends: all of them ended by themselves, or one failed for good (it
// never became ready, or its restarts were used up), or a stop was requested (TERM to every process
// group, in the reverse order of `after`, grace, KILL). No process that it started is left.
// `on_ready` is called once, when every service has become ready. As PID 1 it also reaps orphans.
PodEnd run_pod(std::vector<ServiceSpec> services, const PodOptions& options, http::Client& http,
               EventSink& events, const std::function<void()>& on_ready, std::stop_token stop);

// Where a service stands (src/serve/service_machine.hpp tells what each state means).
enum class ServiceState { waiting, preparing, starting, ready, ending, backing_off, stopped };
// "waiting", …, "backing off": for people, pod.json and the control socket.
std::string_view to_string(ServiceState state);

// What pod.json says of a pod, checked against the processes that there are.
struct RunningService {
    std::string name;
    pid_t pid = 0;  // 0: it does not run (now)
    std::uint16_t port = 0;
    std::string url;
    ServiceState state = ServiceState::waiting;
    int starts = 0;
    std::chrono::system_clock::time_point started = {};  // of the run that is on, or was last
    std::string last_exit = {};  // "exit code 1", "killed by SIGKILL"; empty: it never ended

    friend bool operator==(const RunningService&, const RunningService&) = default;
};
struct RunningPod {
    pid_t pid = 0;  // podctl's; 0: it was killed, and what runs of its services was left behind
    std::vector<RunningService> services;
};
// Something to be told that is no failure.
using OnNotice = std::function<void(const std::string&)>;

// nullopt: no pod, or nothing of it runs any more (a pid that another process has now does not
// count). A file that somebody else could have written (of another user but root, writable by
// others, a link, with a second name) is ignored with a notice. Throws Error{io}.
std::optional<RunningPod> find_running_pod(const std::filesystem::path& pids,
                                           const OnNotice& on_notice = {});

enum class LeftBehind { all, all_but_services };

// Ends what a podctl that was killed has left running (TERM, grace, KILL): services, so that their
// ports are free again, and installers and scripts, which would go on writing where the next run
// writes. Signalled is only what is proven to be podctl's: of this user, in the session of that
// podctl, and either marked (child_mark) or recorded in a pod.json that nobody else can have
// written, or in the process group of a leader that is; each by a pidfd. To be called by the holder
// of the root's lock. Returns the names of what was ended.
std::vector<std::string> end_left_behind(const std::filesystem::path& state,
                                         const std::filesystem::path& pids, LeftBehind which,
                                         std::chrono::milliseconds grace,
                                         const OnNotice& on_notice = {});

}  // namespace podctl::serve

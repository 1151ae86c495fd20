#pragma once

#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/wait.hpp"
#include "podctl/event/event.hpp"
#include "podctl/serve/pod_steps.hpp"
#include "podctl/serve/serve.hpp"

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

// How a running pod is asked and steered from outside: `up` serves a socket in the pod's own folder
// (plan::Places::own), which is called `state` here, and status, restart and down talk to it.
namespace podctl::serve {

// A pack that ComfyUI could not import, as its log has said in the run that is on.
struct FailedNode {
    std::string node, reason;

    friend bool operator==(const FailedNode&, const FailedNode&) = default;
};

struct PodStatus {
    enum class Phase {
        provisioning,
        starting,  // services run, and not all of them are ready
        ready,
        ending,
        failed,      // nothing of it runs; podctl stays, since its container would end with it
        left_behind  // podctl was killed, and services of it still run
    } phase = Phase::provisioning;
    pid_t pid = 0;  // podctl's
    std::string version, template_path;
    std::chrono::system_clock::time_point started = {};
    std::uint16_t page_port = 0;  // where the progress page stands now; 0: nowhere
    std::vector<PodStep> steps;
    std::vector<RunningService> services;
    std::vector<FailedNode> failed_nodes = {};  // ready without them
};
// "provisioning", …, "left behind".
std::string_view to_string(PodStatus::Phase phase);

// Everything in it is ready, or has ended by itself as it should.
bool all_ready(const std::vector<RunningService>& services);

// What a running podctl knows of itself, from the events that pass through it and from the pod's
// loop, and what is asked of it. Any thread may call it.
class PodControl : public EventSink {
public:
    // `stop` is what ends the pod; `page_port` says where the progress page stands, 0 for nowhere.
    explicit PodControl(EventSink& next, std::stop_token stop = {},
                        std::function<std::uint16_t()> page_port = {});
    void emit(const Event& event) override;

    PodStatus status() const;
    // Why the pod failed, once it has.
    std::optional<Error> failure() const;

    // Asks for a restart of one service, or of all (an empty name). Returns a number to ask for the
    // outcome with. Throws Error{usage} for a name that there is not, Error{launch} when the pod
    // is not in a state for it.
    int ask_restart(const std::string& service);
    // The services that were restarted, once they are ready; nullopt: not yet.
    std::optional<std::vector<RunningService>> outcome(int restart) const;
    void forget(int restart);

    // For the pod's loop: readable when a restart was asked for; what it was asked for, once; and
    // what it tells.
    int requests_fd() const { return requests_.fd(); }
    std::set<std::string> take_restarts();
    void publish(const std::vector<RunningService>& services, bool ending);

    // For the server: readable when an outcome may be there.
    int changes_fd() const { return changes_.fd(); }
    void take_changes() { changes_.clear(); }

private:
    struct Restart {
        std::set<std::string> services;
        std::optional<std::map<std::string, int>> starts = {};  // when the pod took it
    };
    void observe(const Event& event);

    EventSink& next_;
    const std::stop_token stop_;
    const std::function<std::uint16_t()> page_port_;
    WakeUp requests_, changes_;
    mutable std::mutex mutex_;
    PodStatus status_;  // but its steps
    PodSteps steps_;
    bool launching_ = false, ending_ = false, failed_ = false;
    std::optional<Error> failure_;
    std::map<int, Restart> restarts_;
    int next_restart_ = 0;
};

// Serves a pod's control socket from a thread of its own, so that no client can disturb the pod:
// clients are limited in number, in what they may send and in how long they may take for it, and
// only the own user and root are heard. The socket is <state>/podctl.sock; on a volume that cannot
// hold sockets it has an abstract name, which <state>/podctl.address tells. To be constructed by
// the holder of the root's lock; a pod whose socket cannot be made runs without, and a notice says
// so.
class ControlServer {
public:
    // `end_pod` has to do what SIGTERM does; a second call what a second SIGTERM does. Of a pod
    // that has failed nothing is left to end but this server, so it has to lead to its destructor,
    // and to the end of the progress page before it (release_failed_pod).
    ControlServer(const std::filesystem::path& state, PodControl& control,
                  std::function<void()> end_pod);
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

    // False: no socket could be made.
    bool is_reachable() const { return server_ != nullptr; }

private:
    class Server;
    std::unique_ptr<Server> server_;
};

// The other side. nullopt and false: no podctl runs there. All throw Error{launch} when it does but
// cannot be reached, and Error{interrupted}.

// Throws Error{launch} that names the owner when somebody else can have put the state folder there,
// or its logs: what they say of a pod is then that user's word. Every call below asks it first.
// Root may look at another user's pod where root folder and state are that user's alone.
void check_state(const std::filesystem::path& state);

// Asks the running podctl; without one, pod.json tells what was left behind (find_running_pod).
std::optional<PodStatus> find_pod_status(const std::filesystem::path& state,
                                         const std::filesystem::path& pids,
                                         const std::stop_token& stop,
                                         const OnNotice& on_notice = {});

// Restarts one service, or all (an empty name), and waits until they are ready. Throws
// Error{launch} when that fails, or takes longer than `timeout`, or when the podctl answers nothing
// at all any more for `silence`.
std::optional<std::vector<RunningService>> restart_services(
    const std::filesystem::path& state, const std::string& service,
    std::optional<std::chrono::milliseconds> timeout, const std::stop_token& stop,
    std::chrono::milliseconds silence = std::chrono::seconds{10});

// Asks podctl to end the pod, as SIGTERM would; at once, as a second SIGTERM would.
enum class Urgency { graceful, at_once };
bool ask_to_end(const std::filesystem::path& state, Urgency urgency, const std::stop_token& stop);

// To be called by the holder of the root's lock, before it serves a socket of its own: a podctl
// that stays after a failure (PodStatus::Phase::failed) lets go of ComfyUI's port, where its page
// stands, and of its socket. Returns once it has; at once where none stays.
void release_failed_pod(const std::filesystem::path& state, const std::stop_token& stop);

// A descriptor that becomes readable when the pod ends; invalid: none runs.
Fd watch_pod(const std::filesystem::path& state, const std::stop_token& stop);

}  // namespace podctl::serve

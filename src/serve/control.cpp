#include "podctl/serve/control.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/overloaded.hpp"

#include <unistd.h>

#include <algorithm>

namespace podctl::serve {

namespace {

constexpr const char* control_task = "cannot make the pod's control";

const RunningService* find(const std::vector<RunningService>& services, const std::string& name) {
    const auto found = std::ranges::find(services, name, &RunningService::name);
    return found == services.end() ? nullptr : &*found;
}

Error no_such_service(const std::string& name, const std::vector<RunningService>& services) {
    std::vector<std::string> names;
    for (const auto& service : services)
        names.push_back(service.name);
    const auto near = nearest(name, names);
    return {ErrorKind::usage, "the pod has no service " + name,
            near ? "did you mean " + *near + "?" : "`podctl status` lists them"};
}

}  // namespace

std::string_view to_string(PodStatus::Phase phase) {
    switch (phase) {
        case PodStatus::Phase::provisioning:
            return "provisioning";
        case PodStatus::Phase::starting:
            return "starting";
        case PodStatus::Phase::ready:
            return "ready";
        case PodStatus::Phase::ending:
            return "ending";
        case PodStatus::Phase::failed:
            return "failed";
        case PodStatus::Phase::left_behind:
            return "left behind";
    }
    return "";
}

bool all_ready(const std::vector<RunningService>& services) {
    return std::ranges::all_of(services, [](const RunningService& service) {
        return service.state == ServiceState::ready || service.state == ServiceState::stopped;
    });
}

PodControl::PodControl(EventSink& next, std::stop_token stop,
                       std::function<std::uint16_t()> page_port)
    : next_{next},
      stop_{std::move(stop)},
      page_port_{std::move(page_port)},
      requests_{control_task},
      changes_{control_task} {
    status_.pid = ::getpid();
    status_.version = PODCTL_VERSION;
    status_.started = std::chrono::system_clock::now();
}

void PodControl::emit(const Event& event) {
    observe(event);
    next_.emit(event);
}

void PodControl::observe(const Event& event) {
    const std::scoped_lock lock{mutex_};
    steps_.observe(event, PodSteps::Clock::now());
    std::visit(
        overloaded{[&](const event::RunStarted& it) { status_.template_path = it.template_path; },
                   [&](const event::Launching&) { launching_ = true; },
                   [&](const event::LaunchFailed& it) {
                       failure_ = Error{ErrorKind::launch, it.message, it.hint};
                   },
                   [&](const event::NodeFailed& it) {
                       status_.failed_nodes.push_back({it.node, it.reason});
                   },
                   [&](const event::ServiceStarted& it) {
                       if (it.service == comfyui_service) status_.failed_nodes.clear();
                   },
                   [&](const event::RunFinished& it) { failed_ = !it.ok; }, [](const auto&) {}},
        event);
}

PodStatus PodControl::status() const {
    // The page has a lock of its own, and waits for nobody who has this one.
    const std::uint16_t page_port = page_port_ ? page_port_() : 0;
    const std::scoped_lock lock{mutex_};
    PodStatus status = status_;
    status.steps = steps_.at(PodSteps::Clock::now());
    status.page_port = page_port;
    using enum PodStatus::Phase;
    if (failed_ && !stop_.stop_requested())
        status.phase = failed;
    else if (ending_ || stop_.stop_requested())
        status.phase = ending;
    else if (!launching_)
        status.phase = provisioning;
    else
        status.phase = !status.services.empty() && all_ready(status.services) ? ready : starting;
    return status;
}

std::optional<Error> PodControl::failure() const {
    const std::scoped_lock lock{mutex_};
    return failure_;
}

int PodControl::ask_restart(const std::string& service) {
    const std::scoped_lock lock{mutex_};
    if (failed_)
        throw Error{ErrorKind::launch, "the pod has failed: nothing of it runs",
                    "`podctl up` is another try"};
    if (ending_ || stop_.stop_requested())
        throw Error{ErrorKind::launch, "the pod is ending: nothing is restarted"};
    if (status_.services.empty())
        throw Error{ErrorKind::launch, "the pod is still being provisioned: no service runs yet",
                    "`podctl status` says how far it is"};
    Restart restart;
    if (!service.empty() && !find(status_.services, service))
        throw no_such_service(service, status_.services);
    for (const auto& it : status_.services)
        if (service.empty() || it.name == service) restart.services.insert(it.name);
    restarts_.emplace(++next_restart_, std::move(restart));
    requests_.wake();
    return next_restart_;
}

std::set<std::string> PodControl::take_restarts() {
    const std::scoped_lock lock{mutex_};
    requests_.clear();
    std::set<std::string> taken;
    for (auto& [number, restart] : restarts_) {
        if (restart.starts) continue;
        restart.starts.emplace();
        for (const auto& name : restart.services)
            if (const auto* service = find(status_.services, name))
                (*restart.starts)[name] = service->starts;
        taken.insert(restart.services.begin(), restart.services.end());
    }
    return taken;
}

std::optional<std::vector<RunningService>> PodControl::outcome(int number) const {
    const std::scoped_lock lock{mutex_};
    const auto restart = restarts_.find(number);
    // A service that was given up is stopped as well, and ends the pod.
    if (ending_ || restart == restarts_.end() || !restart->second.starts) return std::nullopt;
    std::vector<RunningService> restarted;
    for (const auto& [name, starts] : *restart->second.starts) {
        const auto* service = find(status_.services, name);
        if (!service || service->starts <= starts) return std::nullopt;
        restarted.push_back(*service);
    }
    return all_ready(restarted) ? std::optional{std::move(restarted)} : std::nullopt;
}

void PodControl::forget(int restart) {
    const std::scoped_lock lock{mutex_};
    restarts_.erase(restart);
}

void PodControl::publish(const std::vector<RunningService>& services, bool ending) {
    const std::scoped_lock lock{mutex_};
    if (status_.services == services && ending_ == ending) return;
    status_.services = services;
    ending_ = ending;
    changes_.wake();
}

}  // namespace podctl::serve

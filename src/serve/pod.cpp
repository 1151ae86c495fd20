#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/wait.hpp"
#include "podctl/serve/control.hpp"
#include "podctl/serve/serve.hpp"

#include "pod_record.hpp"
#include "service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <set>

namespace podctl::serve {

namespace {

using std::chrono::milliseconds;

// Nothing tells of an orphan's end, so they are looked for.
constexpr milliseconds orphan_interval{1'000};

// In an order in which each comes behind all that it is `after`.
std::vector<ServiceSpec> in_order(std::vector<ServiceSpec> services) {
    std::vector<ServiceSpec> ordered;
    std::set<std::string> placed;
    while (!services.empty()) {
        const auto next = std::ranges::find_if(services, [&](const ServiceSpec& service) {
            return std::ranges::all_of(
                service.after, [&](const std::string& name) { return placed.contains(name); });
        });
        if (next == services.end())
            throw Error{
                ErrorKind::template_,
                fmt::format("service {} can never start: what it is `after` does not exist, "
                            "or is after it as well",
                            services.front().name),
                "correct `after` of the services"};
        if (!placed.insert(next->name).second)
            throw Error{ErrorKind::template_,
                        fmt::format("two services have the name {}", next->name),
                        "give each a name of its own"};
        ordered.push_back(std::move(*next));
        services.erase(next);
    }
    return ordered;
}

class Pod {
public:
    Pod(std::vector<ServiceSpec> specs, const PodOptions& options, http::Client& http,
        EventSink& events, const std::function<void()>& on_ready, std::stop_token stop)
        : record_{options.pids},
          control_{options.control},
          grace_{options.grace},
          events_{events},
          on_ready_{on_ready},
          stop_{std::move(stop)} {
        for (auto& spec : in_order(std::move(specs)))
            services_.emplace_back(std::move(spec), Surroundings{options, http, events, wake_});
    }

    PodEnd run() {
        const std::stop_callback wake{stop_, [this] { wake_.wake(); }};
        while (true) {
            if (control_) to_restart_.merge(control_->take_restarts());
            for (auto& service : services_)
                service.tick();
            look_for_an_end();
            if (end_) {
                stop_in_reverse_order();
            } else {
                restart_in_reverse_order();
                start_what_can_start();
            }
            tell();
            announce_ready();
            if (adopts_orphans_) reap_orphans();
            // A service that could not be started ends the pod: there is nothing to wait for.
            if (!end_ && find_failed() != nullptr) continue;
            if (all_ended()) return end_.value_or(PodEnd{});
            wait();
        }
    }

private:
    const Service& find(const std::string& name) const {
        return *std::ranges::find(services_, name,
                                  [](const Service& service) { return service.spec().name; });
    }

    const Service* find_failed() const {
        const auto failed = std::ranges::find_if(
            services_, [](const Service& service) { return service.failure().has_value(); });
        return failed == services_.end() ? nullptr : &*failed;
    }

    void look_for_an_end() {
        if (end_) return;
        if (const auto* failed = find_failed())
            end_ = failed->failure();
        else if (stop_.stop_requested())
            end_ = PodEnd{.cause = PodEnd::Cause::stopped, .message = {}, .hint = {}};
    }

    void start_what_can_start() {
        for (auto& service : services_) {
            const bool can_start =
                service.state() == Service::State::waiting &&
                std::ranges::all_of(service.spec().after, [this](const std::string& name) {
                    const auto& other = find(name);
                    return other.was_ready() && !other.is_restarting() &&
                           !to_restart_.contains(name);
                });
            if (can_start) service.start();
        }
    }

    // Whether others that come after it still run.
    bool is_needed(const Service& service) const {
        return std::ranges::any_of(services_, [&](const Service& other) {
            return other.is_alive() &&
                   std::ranges::count(other.spec().after, service.spec().name) > 0;
        });
    }

    // The grace is the whole pod's, which may itself be killed after it: of what is left, those
    // that end first get half where others have to end after them.
    milliseconds share_of_grace() const {
        const auto left = std::chrono::duration_cast<milliseconds>(*end_by_ - Clock::now());
        const bool others_wait = std::ranges::any_of(services_, [&](const Service& service) {
            return service.is_alive() && is_needed(service);
        });
        return std::max(milliseconds{0}, others_wait ? left / 2 : left);
    }

    // Each once all that come after it have ended.
    void stop_in_reverse_order() {
        if (!end_by_) end_by_ = Clock::now() + grace_;
        const auto grace = share_of_grace();
        std::for_each(services_.rbegin(), services_.rend(), [&](Service& service) {
            // One that does not run now must not start again meanwhile.
            if (!is_needed(service) || service.child_pid() == 0) service.stop(grace);
        });
    }

    // Whether others that are to be restarted too come after it and have not ended yet.
    bool is_needed_until_restart(const std::string& name) const {
        return std::ranges::any_of(services_, [&](const Service& other) {
            const bool will_restart =
                to_restart_.contains(other.spec().name) ||
                (other.is_restarting() && other.state() == Service::State::ending);
            return will_restart && std::ranges::count(other.spec().after, name) > 0;
        });
    }

    // Each once those that come after it, and are to be restarted too, have ended.
    void restart_in_reverse_order() {
        std::for_each(services_.rbegin(), services_.rend(), [&](Service& service) {
            const auto& name = service.spec().name;
            if (!to_restart_.contains(name) || is_needed_until_restart(name)) return;
            service.restart();
            to_restart_.erase(name);
        });
    }

    void announce_ready() {
        if (announced_ || end_ || !std::ranges::all_of(services_, &Service::was_ready)) return;
        announced_ = true;
        if (on_ready_) on_ready_();
    }

    bool all_ended() const {
        return std::ranges::all_of(services_, [](const Service& service) {
            return service.state() == Service::State::stopped;
        });
    }

    void tell() {
        std::vector<RunningService> described;
        for (const auto& service : services_)
            described.push_back(service.describe());
        if (control_) control_->publish(described, end_.has_value());
        write_record(described);
    }

    // The record is a convenience: a full disk must not end the pod.
    void write_record(const std::vector<RunningService>& described) {
        try {
            record_.update(described);
        } catch (const Error& error) {
            if (!record_failed_) events_.emit(event::Notice{"", error.message()});
            record_failed_ = true;
        }
    }

    Deadline next_deadline() const {
        Deadline next;
        if (adopts_orphans_) next = Clock::now() + orphan_interval;
        for (const auto& service : services_)
            if (const auto deadline = service.next_deadline())
                next = next ? std::min(*next, *deadline) : *deadline;
        return next;
    }

    void wait() {
        std::vector<Awaited> awaited{{.fd = wake_.fd()},
                                     {.fd = control_ ? control_->requests_fd() : -1}};
        for (const auto& service : services_) {
            awaited.push_back({.fd = service.exit_fd()});
            awaited.push_back({.fd = service.output_fd()});
        }
        wait_for_any(awaited, next_deadline());
        wake_.clear();
    }

    const WakeUp wake_{"cannot wait for the services"};
    PodRecord record_;
    PodControl* control_;
    const milliseconds grace_;
    EventSink& events_;
    const std::function<void()>& on_ready_;
    std::stop_token stop_;
    std::optional<Clock::time_point> end_by_;  // of a pod that ends: when all are killed
    std::list<Service> services_;
    std::set<std::string> to_restart_;
    std::optional<PodEnd> end_;
    bool announced_ = false;
    bool record_failed_ = false;
    const bool adopts_orphans_ = adopts_orphans();
};

}  // namespace

PodEnd run_pod(std::vector<ServiceSpec> services, const PodOptions& options, http::Client& http,
               EventSink& events, const std::function<void()>& on_ready, std::stop_token stop) {
    return Pod{std::move(services), options, http, events, on_ready, std::move(stop)}.run();
}

}  // namespace podctl::serve

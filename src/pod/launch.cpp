#include "launch.hpp"

#include "podctl/base/thread.hpp"
#include "podctl/serve/serve.hpp"
#include "podctl/serve/services.hpp"

#include <exception>
#include <string>
#include <thread>
#include <utility>

namespace podctl::pod {
namespace {

// What need not be waited for before a launch.
std::jthread report_in_background(const Launch& what) {
    return start_thread(
        [&what](const std::stop_token& stop) {
            what.provisioner.report_changes(what.plan, stop);
            what.provisioner.accept_environments(what.plan, stop);
            give_way_to_others();
            what.provisioner.keep_bytecode(what.plan, stop);
            what.provisioner.keep_environments(what.plan, stop);
        },
        // The pod runs, whatever cannot be told of it.
        [&what](const std::exception_ptr& failure) {
            what.events.emit(
                event::Notice{std::string{event::launch_step}, as_error(failure).message()});
        });
}

void tell_of_failure(const Launch& what, const serve::PodEnd& end, bool was_ready) {
    std::string hint = end.hint;
    if (!was_ready && what.provisioner.swap_back_environments(what.plan)) {
        hint +=
            "; the packages were changed before this start: undo the change of the requirements if "
            "they are what is wrong";
    }
    what.events.emit(event::LaunchFailed{end.message, hint});
}

}  // namespace

std::optional<ErrorKind> launch(const Launch& what, const std::stop_token& stop) {
    const auto started = Clock::now();
    what.events.emit(event::Launching{});
    auto& provisioner = what.provisioner;
    const auto& places = what.plan.places;
    auto services =
        serve::services_of(what.pod, places, provisioner.python(), provisioner.child_environment(),
                           provisioner.secrets(), what.events);
    const serve::PodOptions options{.logs = places.logs,
                                    .pids = places.pids,
                                    .redact = what.redact,
                                    .back_off = {},
                                    .control = &what.control};
    // ComfyUI's start is work for a processor.
    provisioner.read_models_ahead(what.plan);
    bool was_ready = false;
    std::jthread reporter;
    const auto end = serve::run_pod(
        std::move(services), options, provisioner.http(), what.events,
        [&] {
            what.events.emit(event::Launched{since(started)});
            was_ready = true;
            reporter = report_in_background(what);
        },
        stop);
    switch (end.cause) {
        case serve::PodEnd::Cause::finished:
            return std::nullopt;
        case serve::PodEnd::Cause::stopped:
            return ErrorKind::interrupted;
        case serve::PodEnd::Cause::failed:
            break;
    }
    tell_of_failure(what, end, was_ready);
    return ErrorKind::launch;
}

}  // namespace podctl::pod

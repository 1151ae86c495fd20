#include "podctl/serve/control.hpp"

#include "../command.hpp"
#include "../events/events.hpp"
#include "../pod_place.hpp"
#include "../put.hpp"
#include "../signals.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace podctl::cli {
namespace {

struct RestartArguments {
    PodArguments pod;
    std::optional<std::chrono::milliseconds> timeout;
};

void print(const serve::RunningService& service, const Common& common) {
    if (common.output.format == Format::json) {
        put_event(ServiceRestarted{service});
    } else {
        put(To::out, fmt::format("{} was restarted{}{}\n", service.name,
                                 service.state == serve::ServiceState::ready ? " and is ready" : "",
                                 service.url.empty() ? "" : " at " + service.url));
    }
}

int restart(const RestartArguments& arguments, const Common& common, const StopSignals& signals) {
    const auto places = find_places(arguments.pod, common);
    const auto restarted = serve::restart_services(
        places.own, arguments.pod.services.empty() ? "" : arguments.pod.services.front(),
        arguments.timeout, signals.token());
    if (!restarted)
        throw Error{ErrorKind::launch, "no pod runs in " + places.root.string(),
                    "`podctl up` starts it"};
    for (const auto& service : *restarted)
        print(service, common);
    return 0;
}

}  // namespace

void add_restart(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command = app.add_subcommand(
        "restart",
        "end services of the running pod, start them again and wait until they are ready");
    command->footer(
        "Without a SERVICE all of them, in the order of `after`.\n\n"
        "Examples:\n"
        "  podctl restart comfyui\n"
        "  podctl restart pod.yaml app --timeout 2m");
    auto arguments = std::make_shared<RestartArguments>();
    add_pod_and_service_arguments(*command, arguments->pod, Services::one);
    add_duration_flag(*command, "--timeout", arguments->timeout,
                      "how long to wait; absent: until it is ready");
    add_common_flags(*command, common);
    when_chosen(*command, chosen, [&common, arguments] {
        const StopSignals signals;
        return exit_code_of([&] { return restart(*arguments, common, signals); }, signals);
    });
}

}  // namespace podctl::cli

#include "podctl/event/redacting_sink.hpp"
#include "podctl/pod/up.hpp"

#include "../command.hpp"
#include "../detach.hpp"
#include "../podctl_log.hpp"
#include "../signals.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace podctl::cli {
namespace {

struct UpArguments {
    TemplateArguments template_;
    ProvisionArguments provision;
    bool no_launch = false, dry_run = false, detach = false, no_wait = false;
    std::string image_start;  // a path; empty: none
};

// What names this pod to `status` and `down`, in whatever folder they are called.
std::string words_for(const UpArguments& arguments, const Common& common) {
    const auto absolute = [](const std::string& path) {
        return std::filesystem::absolute(path).lexically_normal().string();
    };
    std::string words;
    if (common.root.empty())
        words = " " + absolute(arguments.template_.path);
    else
        words = " --root " + absolute(common.root);
    if (!common.local.empty()) words += " --local " + absolute(common.local);
    return words;
}

// `report`: of a detached process.
std::unique_ptr<EventSink> sink_for(const UpArguments& arguments, const Common& common,
                                    const plan::Places& places, Fd report) {
    if (!report) return make_sink(common.output);
    return make_detached_sink(common.output, PodctlLog::file_in(places.logs),
                              words_for(arguments, common), std::move(report));
}

// What is wrong with a template must not keep people from reaching it.
int stay_without_a_pod(const UpArguments& arguments, const Common& common, const Error& error,
                       const StopSignals& signals) {
    const auto redact = run::environment_redactor();
    print_error(error, common.output, redact);
    const auto terminal = make_sink(common.output);
    RedactingSink events{*terminal, redact};
    pod::stay_with_image(arguments.image_start, events, signals.token());
    return exit_code(error.kind());
}

int run_up(const UpArguments& arguments, const Common& common, Fd report) {
    // Before every other thread: they inherit the blocked signals.
    const StopSignals signals;
    std::optional<tmpl::Template> pod;
    std::optional<pod::UpRequest> request;
    try {
        pod = load(arguments.template_);
        request.emplace(pod::UpRequest{.pod = *pod,
                                       .template_path = arguments.template_.path,
                                       .places = places_of(*pod, common),
                                       .secrets = run::read_secrets(*pod),
                                       .options = arguments.provision.options,
                                       .only = arguments.provision.only,
                                       .image_start = arguments.image_start});
        request->options.store = store_of(*pod, request->places.root, arguments.provision.store);
    } catch (const Error& error) {
        if (arguments.image_start.empty()) throw;
        return stay_without_a_pod(arguments, common, error, signals);
    }
    if (arguments.no_launch) request->launch = pod::UpRequest::Launch::no;
    if (arguments.no_wait) request->wait = run::VolumeLock::Wait::no;
    const auto redact = run::redactor_of(request->secrets);
    request->stop_signal = [&] { return signals.signal(); };
    request->on_error = [&](const Error& error) { print_error(error, common.output, redact); };
    const auto& places = request->places;
    const auto terminal = sink_for(arguments, common, places, std::move(report));
    PodctlLog log{*terminal, places.logs, redact};
    request->on_locked = [&] { log.begin(); };
    request->on_unlocking = [&] { log.end(); };
    if (common.output.shows_debug_lines) show_debug_lines(redact);
    return pod::up(*request, log, signals.token());
}

}  // namespace

void add_up(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command =
        app.add_subcommand("up", "provision and launch; stay in the foreground until the pod ends");
    command->footer(
        "Examples:\n"
        "  podctl up pod.yaml\n"
        "  podctl up pod.yaml --set comfyui.port=9001 --root /tmp/pod\n"
        "  podctl up pod.yaml --no-launch --output json\n"
        "  podctl up pod.yaml --detach && podctl logs -f\n"
        "  podctl up /pod.yaml --image-start /start.sh   (a container's entrypoint)");
    auto arguments = std::make_shared<UpArguments>();
    add_template_arguments(*command, arguments->template_);
    add_common_flags(*command, common);
    add_provision_flags(*command, arguments->provision);
    command->add_flag("--no-launch", arguments->no_launch, "stop after provisioning");
    command->add_flag(
        "--no-wait", arguments->no_wait,
        "end with 7 where another podctl works on the volume, and do not wait for it");
    command->add_flag("--dry-run", arguments->dry_run, "the same as `podctl plan`");
    command
        ->add_flag("-d,--detach", arguments->detach,
                   "return when the pod is ready; it goes on in the background")
        ->excludes("--no-launch");
    command
        ->add_option("--image-start", arguments->image_start,
                     "the image's own start script (SSH, Jupyter), run beside the pod; a pod that "
                     "fails then leaves the container running")
        ->type_name("FILE")
        ->excludes("--no-launch")
        ->excludes("--detach");
    when_chosen(*command, chosen, [&common, arguments] {
        choose_template(arguments->template_);
        if (arguments->dry_run)
            return show_plan(arguments->template_, arguments->provision, common);
        Fd report;
        if (arguments->detach && arguments->template_.path == "-")
            throw Error{ErrorKind::usage, "a pod in the background has no stdin to read - from",
                        "name the template's file"};
        if (arguments->detach) {
            auto side = detach();
            if (const int* code = std::get_if<int>(&side)) return *code;
            report = std::move(std::get<Fd>(side));
        }
        return run_up(*arguments, common, std::move(report));
    });
}

}  // namespace podctl::cli

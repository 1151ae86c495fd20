#include "podctl/base/thread.hpp"
#include "podctl/run/lock.hpp"
#include "podctl/run/state.hpp"
#include "podctl/serve/control.hpp"
#include "podctl/serve/image_start.hpp"
#include "podctl/serve/progress_page.hpp"
#include "podctl/serve/serve.hpp"
#include "podctl/serve/services.hpp"

#include "../command.hpp"
#include "../detach.hpp"
#include "../signals.hpp"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace podctl::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct UpArguments {
    TemplateArguments template_;
    ProvisionArguments provision;
    bool no_launch = false, dry_run = false, detach = false;
    std::string image_start;  // a path; empty: none
};

std::chrono::milliseconds since(Clock::time_point start) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
}

// Failed steps end a run with 4, a machine that does not fit with 3 (spec §3).
int exit_code_of(const run::Provisioned& result, int signal) {
    if (!result.failure) return 0;
    switch (*result.failure) {
        case ErrorKind::interrupted:
            return 128 + signal;
        case ErrorKind::preflight:
            return exit_code(ErrorKind::preflight);
        default:
            return exit_code(ErrorKind::io);
    }
}

// A container that ended here would be started again and again, and nobody could look into it.
void stay_for(serve::ImageStart& image, EventSink& events, const std::stop_token& stop) {
    if (!image.runs() || stop.stop_requested()) return;
    events.emit(event::Notice{"",
                              "the pod has failed; the container stays, so that it can be looked "
                              "into: `podctl up` in it is another try"});
    image.wait(stop);
}

class Up {
public:
    // `report`: of a detached process.
    Up(const UpArguments& arguments, const Common& common, Fd report)
        : arguments_(arguments),
          common_(common),
          pod_(load(arguments.template_)),
          root_(root_of(pod_, common)),
          secrets_(run::read_secrets(pod_)),
          redact_(run::redactor_of(secrets_)),
          terminal_(report ? make_detached_sink(common.output, plan::places_of(pod_, root_).logs,
                                                std::move(report))
                           : make_sink(common.output)),
          page_(pod_, *terminal_),
          control_(page_, signals_.token()),
          events_(control_, redact_) {}

    int run() {
        const auto places = plan::places_of(pod_, root_);
        events_.emit(event::RunStarted{arguments_.template_.path, root_.string(), PODCTL_VERSION});
        std::optional<serve::ImageStart> image;
        if (!arguments_.image_start.empty()) image.emplace(arguments_.image_start, events_);
        int code = 0;
        std::uint64_t downloaded = 0;
        try {
            code = provision_and_launch(places, downloaded);
        } catch (const Error& error) {
            const bool stopped = error.kind() == ErrorKind::interrupted;
            code = stopped ? 128 + signals_.signal() : exit_code(error.kind());
            if (!stopped) print_error(error, common_.output, redact_);
        }
        events_.emit(event::RunFinished{code == 0, code, since(started_), downloaded});
        if (code != 0 && image) stay_for(*image, events_, signals_.token());
        return code;
    }

private:
    bool launches() const {
        const auto& only = arguments_.provision.only;
        return !arguments_.no_launch && only.empty() && (pod_.comfyui || !pod_.services.empty());
    }

    int provision_and_launch(const plan::Places& places, std::uint64_t& downloaded) {
        const auto notices = run::claim_state(places.state);
        const run::RootLock lock{places.lock};
        for (const auto& notice : notices)
            events_.emit(event::Notice{"", notice});
        const serve::ControlServer server{places.state, control_,
                                          [] { ::kill(::getpid(), SIGTERM); }};
        auto options = arguments_.provision.options;
        options.will_launch = launches();
        end_left_behind(places);
        run::Provisioner provisioner{pod_, root_, secrets_, options, events_};
        auto plan = provisioner.make_plan(signals_.token());
        if (!arguments_.provision.only.empty()) plan = plan::only(plan, arguments_.provision.only);
        if (launches()) page_.follow(plan);
        const auto result = provisioner.provision(plan, signals_.token());
        downloaded = result.downloaded_bytes;
        const int code = exit_code_of(result, signals_.signal());
        if (code != 0) return code;
        if (launches()) return launch(provisioner, plan);
        provisioner.report_changes(plan, signals_.token());
        return 0;
    }

    void end_left_behind(const plan::Places& places) {
        const auto which =
            launches() ? serve::LeftBehind::all : serve::LeftBehind::all_but_services;
        for (const auto& name :
             serve::end_left_behind(places.state, places.pids, which, serve::PodOptions{}.grace,
                                    [this](const std::string& text) {
                                        events_.emit(event::Notice{"", text});
                                    })) {
            events_.emit(
                event::Notice{"", name + " was left running by a podctl that was killed: ended"});
        }
    }

    int launch(run::Provisioner& provisioner, const plan::Plan& plan) {
        page_.close();
        const auto& places = plan.places;
        const auto started = Clock::now();
        events_.emit(event::StepStarted{"launch"});
        auto services =
            serve::services_of(pod_, places, provisioner.python(), provisioner.child_environment(),
                               provisioner.secrets(), events_);
        const serve::PodOptions options{.logs = places.logs,
                                        .pids = places.pids,
                                        .redact = redact_,
                                        .back_off = {},
                                        .control = &control_};
        bool was_ready = false;
        std::jthread reporter;
        const auto end = serve::run_pod(
            std::move(services), options, provisioner.http(), events_,
            [&] {
                events_.emit(event::StepFinished{"launch", since(started), true});
                was_ready = true;
                reporter = start_thread(
                    [&](const std::stop_token& stop) {
                        provisioner.report_changes(plan, stop);
                        provisioner.accept_environments(plan, stop);
                    },
                    // The pod runs, whatever cannot be told of it.
                    [&](const std::exception_ptr& failure) {
                        events_.emit(event::Notice{"launch", as_error(failure).message()});
                    });
            },
            signals_.token());
        switch (end.cause) {
            case serve::PodEnd::Cause::finished:
                return 0;
            case serve::PodEnd::Cause::stopped:
                return 128 + signals_.signal();
            case serve::PodEnd::Cause::failed:
                break;
        }
        std::string hint = end.hint;
        if (!was_ready && provisioner.swap_back_environments(plan)) {
            hint +=
                "; the packages were changed before this start: undo the change of the "
                "requirements if they are what is wrong";
        }
        events_.emit(event::StepFailed{"launch", ErrorKind::launch, end.message, hint, false});
        return exit_code(ErrorKind::launch);
    }

    const UpArguments& arguments_;
    const Common& common_;
    const Clock::time_point started_ = Clock::now();
    // Before every other thread: they inherit the blocked signals.
    StopSignals signals_;
    tmpl::Template pod_;
    std::filesystem::path root_;
    run::Secrets secrets_;
    Redactor redact_;
    std::unique_ptr<EventSink> terminal_;
    serve::ProgressPage page_;  // sees what is redacted
    serve::PodControl control_;
    RedactingSink events_;
};

int run_up(const UpArguments& arguments, const Common& common, Fd report) {
    std::optional<Up> up;
    try {
        up.emplace(arguments, common, std::move(report));
    } catch (const Error& error) {
        // What is wrong with a template must not keep people from reaching it.
        if (arguments.image_start.empty()) throw;
        const auto redact = run::environment_redactor();
        print_error(error, common.output, redact);
        const StopSignals signals;
        const auto terminal = make_sink(common.output);
        RedactingSink events{*terminal, redact};
        serve::ImageStart image{arguments.image_start, events};
        stay_for(image, events, signals.token());
        return exit_code(error.kind());
    }
    return up->run();
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
    command->add_flag("--dry-run", arguments->dry_run, "the same as `podctl plan`");
    command
        ->add_flag("--detach", arguments->detach,
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
        if (arguments->dry_run)
            return show_plan(arguments->template_, arguments->provision, common);
        Fd report;
        if (arguments->detach) {
            auto side = detach();
            if (const int* code = std::get_if<int>(&side)) return *code;
            report = std::move(std::get<Fd>(side));
        }
        return run_up(*arguments, common, std::move(report));
    });
}

}  // namespace podctl::cli

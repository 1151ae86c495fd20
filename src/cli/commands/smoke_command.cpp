#include "podctl/base/file.hpp"
#include "podctl/comfy/comfy.hpp"
#include "podctl/event/redacting_sink.hpp"
#include "podctl/plan/plan.hpp"
#include "podctl/run/secrets.hpp"

#include "../comfyui_place.hpp"
#include "../command.hpp"
#include "../junit.hpp"
#include "../signals.hpp"
#include "../workflow_runs.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <optional>
#include <random>

namespace podctl::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::minutes usual_timeout{2};

struct SmokeArguments {
    TemplateArguments template_;
    ComfyUiArguments comfyui;
    std::string workflow, junit;
    std::optional<std::chrono::milliseconds> timeout;
    bool cached = false, api_nodes = false;
};

// Of a test that has not come to its end nobody must find the result of the one before.
void forget_earlier(const std::filesystem::path& junit) {
    if (junit.empty()) return;
    std::error_code failed;
    if (std::filesystem::is_directory(junit, failed))
        throw Error{ErrorKind::usage, fmt::format("--junit {}: that is a folder", junit.string())};
    std::filesystem::remove(junit, failed);
}

class Smoke {
public:
    Smoke(const SmokeArguments& arguments, const Common& common)
        : arguments_(arguments),
          common_(common),
          pod_(template_of(arguments, common)),
          url_(url()),
          options_(options_for(url_, arguments.comfyui)),
          key_(comfy_api_key()),
          secrets_(secrets_with(pod_ ? run::read_secrets(*pod_) : run::read_hub_secrets(), url_,
                                options_, key_)),
          redact_(run::redactor_of(secrets_)),
          terminal_(make_sink(common.output)),
          events_(*terminal_, redact_),
          workflow_(workflow()) {
        if (common.output.shows_debug_lines) show_debug_lines(redact_);
    }

    int run() {
        http::Client http{options_};
        const auto no_wait = std::chrono::milliseconds{0};
        WorkflowSteps steps{{.url = url_,
                             .wait = arguments_.comfyui.wait.value_or(no_wait),
                             .pod = pod_ ? &*pod_ : nullptr,
                             .api_key = key_},
                            http,
                            events_,
                            signals_.token()};
        const auto what = pod_ ? named_template(arguments_, common_).path : "smoke";
        return steps.told(what, "smoke", signals_, [&] { return test(steps); });
    }

private:
    // What says which ComfyUI it is comes before the template that is here.
    static TemplateArguments named_template(const SmokeArguments& arguments, const Common& common) {
        auto named = arguments.template_;
        if (named.path.empty() && arguments.comfyui.url.empty() && common.root.empty())
            named.path = template_here();
        return named;
    }

    static std::optional<tmpl::Template> template_of(const SmokeArguments& arguments,
                                                     const Common& common) {
        if (const auto named = named_template(arguments, common); !named.path.empty())
            return load(named);
        if (!arguments.template_.overlays.empty() || !arguments.template_.set.empty())
            throw Error{ErrorKind::usage, "--file and --set change a TEMPLATE, and there is none",
                        "podctl smoke TEMPLATE -f OVERLAY"};
        return std::nullopt;
    }

    std::string url() const {
        if (!arguments_.comfyui.url.empty()) return checked_comfyui_url(arguments_.comfyui.url);
        if (!pod_) return url_of_running_pod(common_, signals_.token());
        if (!pod_->comfyui)
            throw Error{ErrorKind::usage, "the template has no comfyui",
                        "--url names a running one"};
        const auto address = comfy::local_address(pod_->comfyui->listen);
        const bool is_v6 = address.find(':') != address.npos;
        return fmt::format("http://{}:{}", is_v6 ? "[" + address + "]" : address,
                           pod_->comfyui->port);
    }

    workflow::Workflow workflow() const {
        const auto file = workflow_file();
        return file.empty() ? workflow::read_workflow(comfy::built_in_workflow(), "built-in")
                            : read_workflow(file);
    }

    // What the command line names is where the user is, what the template names is under its mount.
    std::filesystem::path workflow_file() const {
        if (!arguments_.workflow.empty()) return arguments_.workflow;
        if (!pod_ || pod_->smoke.workflow.empty()) return {};
        return plan::under_root(*pod_, root_of(*pod_, common_), pod_->smoke.workflow);
    }

    comfy::RunRequest request() const {
        using Request = comfy::RunRequest;
        return {.workflow = workflow_,
                .timeout = arguments_.timeout.value_or(
                    pod_ ? pod_->smoke.timeout : std::chrono::milliseconds{usual_timeout}),
                .seed = std::random_device{}(),
                .cache = arguments_.cached ? Request::Cache::may_answer
                                           : Request::Cache::must_not_answer,
                .api_nodes =
                    arguments_.api_nodes ? Request::ApiNodes::allowed : Request::ApiNodes::refused};
    }

    int test(WorkflowSteps& steps) const {
        const auto file = workflow_file();
        auto finished =
            steps.run({.step = "smoke",
                       .workflow = file.empty() ? "the built-in workflow" : file.string(),
                       .as = event::WorkflowFinished::As::smoke},
                      request());
        finished = std::get<event::WorkflowFinished>(redacted(std::move(finished), redact_));
        if (!arguments_.junit.empty())
            write_file_atomically(arguments_.junit, junit_xml(finished, since_start()));
        return finished.faults.empty() ? 0 : exit_code(ErrorKind::smoke);
    }

    std::chrono::milliseconds since_start() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started_);
    }

    const SmokeArguments& arguments_;
    const Common& common_;
    const Clock::time_point started_ = Clock::now();
    // Before every other thread: they inherit the blocked signals.
    StopSignals signals_;
    const std::optional<tmpl::Template> pod_;
    const std::string url_;
    const http::Options options_;
    const Secret key_;
    const run::Secrets secrets_;
    Redactor redact_;
    std::unique_ptr<EventSink> terminal_;
    RedactingSink events_;
    const workflow::Workflow workflow_;
};

}  // namespace

void add_smoke(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command = app.add_subcommand(
        "smoke", "run a workflow on the running ComfyUI, and look at what it made");
    command->footer(
        "The workflow is a file that ComfyUI saved, with Save or with Export (API); without one,\n"
        "the template's smoke.workflow, else a built-in one that needs no model. Without TEMPLATE\n"
        "and --url this machine's pod is tested. Every node has to run: ComfyUI is asked to "
        "forget\n"
        "earlier results. Exits 6 when a node fails, something is missing, nothing was made, or\n"
        "ComfyUI does not answer.\n\n"
        "Examples:\n"
        "  podctl smoke pod.yaml\n"
        "  podctl smoke --wait 5m\n"
        "  podctl smoke --url http://127.0.0.1:9000 --workflow portrait.json\n"
        "  podctl smoke pod.yaml --timeout 10m --junit smoke.xml --output json");
    auto arguments = std::make_shared<SmokeArguments>();
    add_template_arguments(*command, arguments->template_);
    add_common_flags(*command, common);
    add_comfyui_flags(*command, arguments->comfyui, "where ComfyUI is, if not on this machine");
    command
        ->add_option("--workflow", arguments->workflow,
                     "the workflow to run, or what carries one: a picture, a film, a sound")
        ->type_name("FILE");
    command->add_flag("--cached", arguments->cached,
                      "take results that ComfyUI has of an earlier prompt for tested");
    command->add_flag("--allow-api-nodes", arguments->api_nodes,
                      "run nodes that call services which cost money, with $COMFY_API_KEY");
    add_duration_flag(*command, "--timeout", arguments->timeout,
                      "for all of it: 10m; 120s, or the template's smoke.timeout, unless told");
    command->add_option("--junit", arguments->junit, "write the result as JUnit's XML, too")
        ->type_name("FILE");
    when_chosen(*command, chosen, [&common, arguments] {
        forget_earlier(arguments->junit);
        return Smoke{*arguments, common}.run();
    });
}

}  // namespace podctl::cli

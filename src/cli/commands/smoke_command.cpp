#include "podctl/base/file.hpp"
#include "podctl/comfy/comfy.hpp"
#include "podctl/comfy/smoke.hpp"
#include "podctl/event/redacting_sink.hpp"
#include "podctl/plan/plan.hpp"
#include "podctl/run/secrets.hpp"

#include "../command.hpp"
#include "../junit.hpp"
#include "../signals.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <optional>

namespace podctl::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* step = "smoke";
constexpr std::uint64_t largest_workflow = 16u << 20;

struct SmokeArguments {
    TemplateArguments template_;
    std::string url, workflow, junit;
    std::optional<std::chrono::milliseconds> timeout;
};

std::string read_workflow_file(const std::filesystem::path& path) {
    try {
        const auto stamp = file_stamp(path);
        if (stamp && stamp->size > largest_workflow)
            throw Error{ErrorKind::usage, path.string() + ": too large for a workflow"};
        return read_file(path);
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::usage) throw;
        throw Error{ErrorKind::usage, error.message(),
                    "--workflow, or smoke.workflow of the template, names the file"};
    }
}

class Smoke {
public:
    Smoke(const SmokeArguments& arguments, const Common& common)
        : arguments_(arguments),
          common_(common),
          pod_(template_of(arguments)),
          secrets_(pod_ ? run::read_secrets(*pod_) : run::read_hub_secrets()),
          redact_(run::redactor_of(secrets_)),
          terminal_(make_sink(common.output)),
          events_(*terminal_, redact_),
          request_(request()) {
        if (common.output.shows_debug_lines) show_debug_lines(redact_);
    }

    int run() {
        const std::string what = pod_ ? arguments_.template_.path : "smoke";
        events_.emit(event::RunStarted{what, redact_(request_.url), PODCTL_VERSION});
        events_.emit(event::StepStarted{step});
        int code = 0;
        try {
            code = test();
        } catch (const Error& error) {
            const bool stopped = error.kind() == ErrorKind::interrupted;
            code = stopped ? 128 + signals_.signal() : exit_code(error.kind());
            events_.emit(
                event::StepFailed{step, error.kind(), error.message(), error.hint(), false});
        }
        events_.emit(event::RunFinished{code == 0, code, since_start(), 0});
        return code;
    }

private:
    static std::optional<tmpl::Template> template_of(const SmokeArguments& arguments) {
        if (!arguments.template_.path.empty()) return load(arguments.template_);
        if (!arguments.template_.overlays.empty() || !arguments.template_.set.empty())
            throw Error{ErrorKind::usage, "--file and --set change a TEMPLATE, and there is none",
                        "podctl smoke TEMPLATE -f OVERLAY"};
        if (arguments.url.empty())
            throw Error{ErrorKind::usage, "podctl smoke: no TEMPLATE and no --url",
                        "`podctl smoke --url http://127.0.0.1:9000` needs no template"};
        return std::nullopt;
    }

    std::string url() const {
        const auto& given = arguments_.url;
        if (given.empty()) {
            if (!pod_->comfyui)
                throw Error{ErrorKind::usage, "the template has no comfyui",
                            "--url names a running one"};
            const auto address = comfy::local_address(pod_->comfyui->listen);
            const bool is_v6 = address.find(':') != address.npos;
            return fmt::format("http://{}:{}", is_v6 ? "[" + address + "]" : address,
                               pod_->comfyui->port);
        }
        const auto parsed = parse_url(given);
        if (!parsed || (parsed->scheme != "http" && parsed->scheme != "https"))
            throw Error{ErrorKind::usage, "--url: not an http or https URL",
                        "for instance --url http://127.0.0.1:9000"};
        if (!parsed->query.empty() || !parsed->fragment.empty())
            throw Error{ErrorKind::usage, "--url: it has a query",
                        "only the place at which ComfyUI's pages begin"};
        return given;
    }

    comfy::SmokeRequest request() const {
        comfy::SmokeRequest request{.url = url(), .pod = pod_ ? &*pod_ : nullptr};
        if (pod_) request.timeout = pod_->smoke.timeout;
        if (arguments_.timeout) request.timeout = *arguments_.timeout;
        if (const auto file = workflow_file(); !file.empty()) {
            request.workflow = read_workflow_file(file);
            request.workflow_name = file.string();
            // Not the built-in one.
            if (request.workflow.empty())
                throw Error{ErrorKind::usage, file.string() + " is empty"};
        }
        return request;
    }

    // What the command line names is where the user is, what the template names is under its mount.
    std::filesystem::path workflow_file() const {
        if (!arguments_.workflow.empty()) return arguments_.workflow;
        if (!pod_ || pod_->smoke.workflow.empty()) return {};
        return plan::under_root(*pod_, root_of(*pod_, common_), pod_->smoke.workflow);
    }

    int test() {
        http::Client http;
        const auto report = comfy::run_smoke(request_, http, monitor(), signals_.token());
        event::SmokeFinished finished{.step = step,
                                      .url = request_.url,
                                      .workflow = request_.workflow_name,
                                      .prompt_id = report.prompt_id,
                                      .outputs = report.outputs,
                                      .faults = report.faults};
        finished = std::get<event::SmokeFinished>(redacted(finished, redact_));
        const auto took = since_start();
        events_.emit(finished);
        if (!arguments_.junit.empty())
            write_file_atomically(arguments_.junit, junit_xml(finished, report.nodes, took));
        if (finished.faults.empty()) {
            events_.emit(event::StepFinished{step, took, true});
            return 0;
        }
        const auto& first = finished.faults.front();
        const auto others = finished.faults.size() - 1;
        events_.emit(event::StepFailed{
            step, ErrorKind::smoke,
            text_of(first) + (others > 0 ? fmt::format(" (and {} more)", others) : ""), first.hint,
            false});
        return exit_code(ErrorKind::smoke);
    }

    comfy::SmokeMonitor monitor() {
        return {.on_progress =
                    [this](std::uint64_t done, std::uint64_t total, const char* unit) {
                        events_.emit(event::StepProgress{step, done, total, unit});
                    },
                .on_notice =
                    [this](const std::string& text) {
                        events_.emit(event::Notice{step, text});
                    }};
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
    const run::Secrets secrets_;
    Redactor redact_;
    std::unique_ptr<EventSink> terminal_;
    RedactingSink events_;
    const comfy::SmokeRequest request_;
};

}  // namespace

void add_smoke(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command = app.add_subcommand(
        "smoke", "run a workflow on the running ComfyUI, and look at what it made");
    command->footer(
        "The workflow is a file that ComfyUI saved, with Save or with Export (API); without one,\n"
        "the template's smoke.workflow, else a built-in one that needs no model. Exits 6 when a\n"
        "node fails, something is missing, nothing was made, or ComfyUI does not answer.\n\n"
        "Examples:\n"
        "  podctl smoke pod.yaml\n"
        "  podctl smoke --url http://127.0.0.1:9000 --workflow portrait.json\n"
        "  podctl smoke pod.yaml --timeout 10m --junit smoke.xml --output json");
    auto arguments = std::make_shared<SmokeArguments>();
    add_template_arguments(*command, arguments->template_, TemplateIs::optional);
    add_common_flags(*command, common);
    command->add_option("--url", arguments->url, "where ComfyUI is, if not on this machine")
        ->type_name("URL");
    command->add_option("--workflow", arguments->workflow, "the workflow to run")
        ->type_name("FILE");
    add_duration_flag(*command, "--timeout", arguments->timeout,
                      "for all of it: 10m; 120s, or the template's smoke.timeout, unless told");
    command->add_option("--junit", arguments->junit, "write the result as JUnit's XML, too")
        ->type_name("FILE");
    when_chosen(*command, chosen, [&common, arguments] { return Smoke{*arguments, common}.run(); });
}

}  // namespace podctl::cli

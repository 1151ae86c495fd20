#include "workflow_runs.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/url.hpp"
#include "podctl/workflow/workflow_file.hpp"

#include "output.hpp"

#include <fmt/format.h>

#include <utility>

namespace podctl::cli {
namespace {

using Steady = std::chrono::steady_clock;

std::chrono::milliseconds passed_since(Steady::time_point time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - time);
}

}  // namespace

workflow::Workflow read_workflow(const std::filesystem::path& path) {
    try {
        return workflow::read_workflow_file(path);
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::usage) throw;
        throw Error{ErrorKind::usage, error.message(),
                    "name a file that ComfyUI saved, or a picture, film or sound that it made"};
    }
}

run::Secrets secrets_with(run::Secrets secrets, const std::string& url,
                          const http::Options& options, const Secret& key) {
    const auto hide = [&](const std::string& text) {
        if (!text.empty()) secrets.hidden.emplace_back(text);
    };
    for (const auto& header : options.headers) {
        const auto& value = header.value.reveal();
        hide(value);
        // "Bearer …": who tells of it leaves the scheme out.
        if (const auto blank = value.rfind(' '); blank != value.npos) hide(value.substr(blank + 1));
    }
    hide(key.reveal());
    const auto login = parse_url(url).value_or(Url{}).userinfo;
    hide(percent_decode(login));
    if (const auto colon = login.find(':'); colon != login.npos)
        hide(percent_decode(login.substr(colon + 1)));
    return secrets;
}

WorkflowSteps::WorkflowSteps(const comfy::RunTarget& target, http::Client& http, EventSink& events,
                             const std::stop_token& stop)
    : events_(events),
      url_(target.url),
      runner_(target, http,
              {.on_progress =
                   [this](std::uint64_t done, std::uint64_t total, const std::string& detail) {
                       events_.emit(event::StepProgress{step_, done, total, "nodes", detail});
                   },
               .on_notice =
                   [this](const std::string& text) {
                       events_.emit(event::Notice{step_, text});
                   }},
              stop) {}

int WorkflowSteps::told(const std::string& what, const std::string& command,
                        const StopSignals& signals, const std::function<int()>& work) {
    const auto started = Steady::now();
    events_.emit(event::RunStarted{what, url_, PODCTL_VERSION});
    int code = 0;
    try {
        code = work();
    } catch (const Error& error) {
        const bool is_stopped = error.kind() == ErrorKind::interrupted;
        const auto& step = step_.empty() ? command : step_;
        if (is_stopped) events_.emit(event::Notice{step, error.message()});
        code = is_stopped ? 128 + signals.signal() : exit_code(error.kind());
        events_.emit(event::StepFailed{step, error.kind(), error.message(), error.hint()});
    }
    events_.emit(event::RunFinished{code == 0, code, passed_since(started), saved_bytes_});
    return code;
}

event::WorkflowFinished WorkflowSteps::run(const WorkflowStep& step,
                                           const comfy::RunRequest& request) {
    const auto started = Steady::now();
    step_ = step.step;
    events_.emit(event::StepStarted{step_});
    auto report = runner_.run(request);
    event::WorkflowFinished finished{.as = step.as,
                                     .step = step_,
                                     .url = url_,
                                     .workflow = step.workflow,
                                     .prompt_id = std::move(report.prompt_id),
                                     .seed = request.seed,
                                     .nodes = std::move(report.nodes),
                                     .outputs = std::move(report.outputs),
                                     .faults = std::move(report.faults)};
    for (const auto& output : finished.outputs)
        if (!output.path.empty()) saved_bytes_ += output.size;
    tell_end(finished, passed_since(started));
    return finished;
}

void WorkflowSteps::tell_end(const event::WorkflowFinished& finished,
                             std::chrono::milliseconds took) {
    events_.emit(finished);
    if (finished.faults.empty()) {
        events_.emit(event::StepFinished{step_, took, true});
        return;
    }
    const auto& first = finished.faults.front();
    const auto others = finished.faults.size() - 1;
    events_.emit(event::StepFailed{
        step_, ErrorKind::smoke,
        text_of(first) + (others > 0 ? fmt::format(" (and {} more)", others) : ""), first.hint,
        false});
}

}  // namespace podctl::cli

#pragma once

#include "podctl/comfy/workflow_run.hpp"
#include "podctl/event/event.hpp"
#include "podctl/event/redact.hpp"
#include "podctl/run/secrets.hpp"

#include "command.hpp"
#include "signals.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

// What `run` and `smoke` share: workflows on one ComfyUI, each as a step.
namespace podctl::cli {

// workflow::read_workflow_file(), for a file that the command line or the template names: whatever
// is wrong with it is Error{usage}.
workflow::Workflow read_workflow(const std::filesystem::path& path);

// The secrets of the hubs and of the environment, and those that open a ComfyUI: what no output may
// show.
run::Secrets secrets_with(run::Secrets secrets, const std::string& url,
                          const http::Options& options, const Secret& key);

struct WorkflowStep {
    std::string step;      // its id
    std::string workflow;  // its name, for people
    event::WorkflowFinished::As as = event::WorkflowFinished::As::run;
};

class WorkflowSteps {
public:
    // `http` and `events` have to outlive it.
    WorkflowSteps(const comfy::RunTarget& target, http::Client& http, EventSink& events,
                  const std::stop_token& stop);

    // All of a command's run: RunStarted of `what`, `work`, which gives the exit code, and
    // RunFinished with it. What `work` throws belongs to the step that runs, or to `command`.
    int told(const std::string& what, const std::string& command, const StopSignals& signals,
             const std::function<int()>& work);
    // comfy::WorkflowRunner::check().
    void check(const comfy::RunRequest& request) { runner_.check(request); }
    // StepStarted, what comes of it, and StepFinished or StepFailed. Throws what keeps every other
    // workflow from running too: Error{interrupted | io}.
    event::WorkflowFinished run(const WorkflowStep& step, const comfy::RunRequest& request);

private:
    void tell_end(const event::WorkflowFinished& finished, std::chrono::milliseconds took);

    EventSink& events_;
    const std::string url_;
    std::string step_;  // the one that runs, or ran last
    std::uint64_t saved_bytes_ = 0;
    comfy::WorkflowRunner runner_;
};

}  // namespace podctl::cli

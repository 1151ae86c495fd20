#pragma once

#include "podctl/base/secret.hpp"
#include "podctl/event/event.hpp"
#include "podctl/http/http.hpp"
#include "podctl/template/template.hpp"
#include "podctl/workflow/workflow.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

// Workflows on a running ComfyUI, queued as its page does, watched to their end, and a look at what
// they made.
namespace podctl::comfy {

// A workflow in the API format that needs no model, and makes a picture that no run before it made:
// ComfyUI keeps results, and answers with them when it is asked the same again. Its picture lies in
// the temp folder.
std::string built_in_workflow();

// A running ComfyUI, and what is known of it.
struct RunTarget {
    std::string url;  // "http://127.0.0.1:9000"; options of the http client say what opens it
    // So long it may take until it answers at first, for all runs together.
    std::chrono::milliseconds wait{0};
    // So long it may fail to answer while a workflow runs.
    std::chrono::milliseconds patience{10'000};
    // What provides nodes and models; nullptr: no template is known.
    const tmpl::Template* pod = nullptr;
    // Goes along as extra_data.api_key_comfy_org, as ComfyUI's page sends it, so that nodes can
    // call services that are paid for; over plain http only where a token may go.
    Secret api_key = {};
};

// A file for ComfyUI's folder input/.
struct InputFile {
    std::filesystem::path path;
    std::string target = {};  // "NODE.INPUT" that is to name it; empty: those that name it already
};

struct RunRequest {
    workflow::Workflow workflow;
    std::chrono::milliseconds timeout;  // for all of it
    std::vector<InputFile> files = {};
    std::vector<workflow::InputValue> values = {};
    std::uint64_t seed = 0;  // for what is random in the workflow
    unsigned repeat = 0;     // how many runs of it came before (workflow::ConversionOptions)
    // What ComfyUI has of an earlier prompt it does not run again.
    enum class Cache {
        may_answer,
        must_not_answer  // it is asked to forget, and what it has all the same is a fault
    } cache = Cache::may_answer;
    enum class ApiNodes { refused, allowed } api_nodes = ApiNodes::refused;
    // Where files are saved; empty: they are fetched and looked at, and not kept. What lies there
    // already stays: a file of the same name and other content gets a number.
    std::filesystem::path save_to = {};
};

struct RunMonitor {
    // Nodes that are done, and what is being done.
    std::function<void(std::uint64_t done, std::uint64_t total, const std::string& detail)>
        on_progress = {};
    std::function<void(const std::string& text)> on_notice = {};
};

struct RunReport {
    std::string prompt_id = {};
    std::vector<event::WorkflowNode> nodes = {};
    std::vector<event::WorkflowOutput> outputs = {};
    // Empty: it went well, and made something.
    std::vector<event::WorkflowFault> faults = {};
};

// One ComfyUI, asked once what it has.
class WorkflowRunner {
public:
    // `http` has to outlive it. Nothing is sent.
    WorkflowRunner(RunTarget target, http::Client& http, RunMonitor monitor, std::stop_token stop);
    ~WorkflowRunner();
    WorkflowRunner(const WorkflowRunner&) = delete;
    WorkflowRunner& operator=(const WorkflowRunner&) = delete;

    // Looks whether what the request sets can be set, and queues and sends nothing. What will go
    // wrong with ComfyUI or the workflow is left to run(). Throws Error{usage}, Error{interrupted}.
    void check(const RunRequest& request);

    // What goes wrong with ComfyUI, the workflow or its run is in the report. The prompt is taken
    // back when its result is not waited for. Throws Error{usage} for a value that cannot be set,
    // Error{io} for a file that cannot be read, Error{interrupted}.
    RunReport run(const RunRequest& request);

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace podctl::comfy

#pragma once

#include "podctl/base/error.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace podctl {

// What happens in a run, as scripts see it (spec §4). `step` is the stable id of a step.
namespace event {
struct RunStarted {
    std::string template_path, root, version;
};
struct StepStarted {
    std::string step;
};
struct StepProgress {
    std::string step;
    std::uint64_t done = 0;
    std::optional<std::uint64_t> total = {};  // absent: not known
    std::string unit = "bytes";
    std::string detail = {};  // what is being done, "KSampler (node 8)"; empty: nothing to tell
};
struct StepSkipped {
    std::string step, reason;
    // kept: nothing is to be done; not_run: a step that it needs has failed.
    enum class Why { kept, not_run } why = Why::kept;
};
struct StepFinished {
    std::string step;
    std::chrono::milliseconds took{0};
    bool changed = false;
};
struct StepFailed {
    std::string step;
    ErrorKind kind = ErrorKind::internal;
    std::string message, hint;
    bool optional = false;  // a warning: the run goes on and may end well
};
struct StepRetrying {
    std::string step;
    int attempt = 0;  // the one that comes now; the first try was 1
    std::chrono::milliseconds wait{0};
    std::string reason;
};
// A file that was asked for is at its place.
struct FileReady {
    std::string step, path, sha256;  // the digest is empty where it was not looked at
    std::uint64_t size = 0;
};
// The pod's services, which people and scripts see as the step `launch`: they are about to be
// started; all of them are ready; one of them never became ready, or ended in failure.
constexpr std::string_view launch_step = "launch";
struct Launching {};
struct Launched {
    std::chrono::milliseconds took{0};
};
struct LaunchFailed {
    std::string message, hint;
};
// Something to be said that is no failure. `step` may be empty.
struct Notice {
    std::string step, message;
};
struct ServiceStarted {
    std::string service;
    int pid = 0;
};
struct ServiceReady {
    std::string service, url;
    std::chrono::milliseconds took{0};
};
struct ServiceExited {
    std::string service;
    int code = 0, signal = 0;
};
struct ServiceRestarting {
    std::string service;
    int attempt = 0;
    std::chrono::milliseconds wait{0};
    std::string reason;
};
struct ServiceOutput {
    std::string service, line;
};
struct NodeFailed {
    std::string node, reason;
};
// A node of the prompt that a workflow was made into.
struct WorkflowNode {
    std::string id = {}, class_type = {}, title = {};
    // cached: ComfyUI had its result from an earlier prompt, and did not run it.
    enum class State { not_run, cached, ran, failed } state = State::not_run;
    std::chrono::milliseconds took{0};  // as the WebSocket told of it; zero where none did
};
// What a workflow made: a file that was fetched and looked at, or a text.
struct WorkflowOutput {
    std::string node = {}, class_type = {};
    std::string file = {}, url = {};  // below ComfyUI's folder of `type`; empty for a text
    std::string path = {};            // where it was saved on this machine; empty: nowhere
    std::string type = {};            // output, temp, text
    std::string text = {};            // what a node showed; empty for a file
    std::string format = {};          // png, mp4, …; empty: not known
    std::uint64_t size = 0;
    std::uint32_t width = 0, height = 0;  // of an image
};
// What was wrong with a workflow or its run. `node`, `class_type` and `input` are empty where it
// belongs to none.
struct WorkflowFault {
    std::string node = {}, class_type = {}, input = {};
    std::string message = {}, hint = {};
    std::string details = {};            // several lines, as a traceback
    std::vector<std::string> also = {};  // other nodes of which the same is to be said
};
struct WorkflowFinished {
    // Whether it was to make something, or to be tested.
    enum class As { run, smoke } as = As::smoke;
    std::string step = {}, url = {}, workflow = {}, prompt_id = {};
    std::uint64_t seed = 0;  // what random choices were made by
    std::vector<WorkflowNode> nodes = {};
    std::vector<WorkflowOutput> outputs = {};
    std::vector<WorkflowFault> faults = {};  // none: all is well
};
struct RunFinished {
    bool ok = false;
    int exit_code = 0;
    std::chrono::milliseconds took{0};
    std::uint64_t downloaded_bytes = 0;
};
}  // namespace event

using Event =
    std::variant<event::RunStarted, event::StepStarted, event::StepProgress, event::StepSkipped,
                 event::StepFinished, event::StepFailed, event::StepRetrying, event::FileReady,
                 event::Launching, event::Launched, event::LaunchFailed, event::Notice,
                 event::ServiceStarted, event::ServiceReady, event::ServiceExited,
                 event::ServiceRestarting, event::ServiceOutput, event::NodeFailed,
                 event::WorkflowFinished, event::RunFinished>;

// Where events go. emit() may be called by any thread and must not throw.
class EventSink {
public:
    virtual ~EventSink() = default;
    virtual void emit(const Event& event) = 0;
};

}  // namespace podctl

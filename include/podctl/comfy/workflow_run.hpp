#pragma once

#include "podctl/event/event.hpp"
#include "podctl/http/http.hpp"
#include "podctl/template/template.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

// The smoke test: a workflow on a running ComfyUI, and a look at what it made.
namespace podctl::comfy {

struct SmokeRequest {
    std::string url;  // of ComfyUI, "http://127.0.0.1:9000"
    // What a workflow file holds, in either of ComfyUI's formats, and its name for messages. Empty:
    // the built-in workflow, which needs no model.
    std::string workflow = {};
    std::string workflow_name = "the built-in workflow";
    std::chrono::milliseconds timeout{120'000};  // for all of it
    // So long ComfyUI may fail to answer while the workflow runs.
    std::chrono::milliseconds patience{10'000};
    // What provides nodes and models; nullptr: no template is known.
    const tmpl::Template* pod = nullptr;
};

struct SmokeMonitor {
    // Of the nodes of the workflow, or of the steps of the node that runs.
    std::function<void(std::uint64_t done, std::uint64_t total, const char* unit)> on_progress = {};
    std::function<void(const std::string& text)> on_notice = {};
};

struct SmokeNode {
    std::string id, class_type, title;
};

struct SmokeReport {
    std::string prompt_id = {};
    std::vector<SmokeNode> nodes = {};
    std::vector<event::SmokeOutput> outputs = {};
    // Empty: it went well, and made something.
    std::vector<event::SmokeFault> faults = {};
};

// What goes wrong with ComfyUI, the workflow or its run is in the report. The prompt is taken back
// when its result is not waited for. Throws Error{usage} for a workflow that is none,
// Error{interrupted}.
SmokeReport run_smoke(const SmokeRequest& request, http::Client& http, const SmokeMonitor& monitor,
                      std::stop_token stop);

}  // namespace podctl::comfy

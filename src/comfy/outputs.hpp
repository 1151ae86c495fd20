#pragma once

#include "podctl/comfy/workflow_run.hpp"

#include "client.hpp"

#include <filesystem>
#include <functional>
#include <string>

namespace podctl::comfy {

// Where files of ComfyUI go on this machine; empty: they are looked at, and not kept.
struct SaveTo {
    std::filesystem::path folder = {};
    std::function<void(const std::string& detail)> on_progress = {};
};

// Fetches every file that the run made, and looks at it: outputs and faults of the report. Throws
// Error{io} for a folder that cannot be written, Error{interrupted}.
void fetch_outputs(const json& history_entry, const json& prompt, const Client& client,
                   const SaveTo& save_to, RunReport& report);

}  // namespace podctl::comfy

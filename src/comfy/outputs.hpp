#pragma once

#include "podctl/comfy/smoke.hpp"

#include "client.hpp"

namespace podctl::comfy {

// Fetches every file that the run made, and looks at it: outputs and faults of the report.
void check_outputs(const json& history_entry, const json& prompt, const Client& client,
                   SmokeReport& report);

}  // namespace podctl::comfy

#pragma once

#include "podctl/comfy/smoke.hpp"
#include "podctl/event/event.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace podctl::cli {

// A smoke test as JUnit's XML, which CI systems show: a test case for the run, and one for each
// node of the workflow. A node is skipped in a run that failed elsewhere.
std::string junit_xml(const event::SmokeFinished& smoke, const std::vector<comfy::SmokeNode>& nodes,
                      std::chrono::milliseconds took);

}  // namespace podctl::cli

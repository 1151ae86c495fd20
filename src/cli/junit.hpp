#pragma once

#include "podctl/event/event.hpp"

#include <chrono>
#include <string>

namespace podctl::cli {

// A smoke test as JUnit's XML, which CI systems show: a test case for the run, which fails with any
// fault, and one with its time for each node of the workflow. Skipped is what did not run.
std::string junit_xml(const event::WorkflowFinished& smoke, std::chrono::milliseconds took);

}  // namespace podctl::cli

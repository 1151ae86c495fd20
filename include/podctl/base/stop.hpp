#pragma once

#include <chrono>
#include <stop_token>

namespace podctl {

// Waits for so long, or until a stop is requested. False: one is.
bool wait_for(std::chrono::nanoseconds time, const std::stop_token& stop);

}  // namespace podctl

#pragma once

#include "podctl/serve/serve.hpp"

#include <nlohmann/json.hpp>

#include <chrono>

namespace podctl::serve {

// Milliseconds since the epoch.
nlohmann::json json_of(std::chrono::system_clock::time_point time);
std::chrono::system_clock::time_point time_of(const nlohmann::json& object, const char* key);

// A service as pod.json and the control socket tell it. What an older podctl did not tell yet has
// its default. service_of throws nlohmann::json::exception.
nlohmann::json json_of(const RunningService& service);
RunningService service_of(const nlohmann::json& entry);

}  // namespace podctl::serve

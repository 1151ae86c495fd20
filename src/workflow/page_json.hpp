#pragma once

#include "podctl/base/json.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string_view>

namespace podctl::workflow {

// A graph is flat. What is nested deeper would overrun the stack of who prints it.
// A workflow of a thousand nodes has some hundred thousand values.
constexpr JsonLimits workflow_limits{.bytes = 64u << 20, .values = 1'000'000, .members = 100'000};

// JSON as the page reads it: NaN and Infinity, which Python writes, are null (ComfyUI_frontend,
// src/utils/jsonUtil.ts). nullopt: it is none, or beyond workflow_limits.
std::optional<nlohmann::json> parse_page_json(std::string_view text);

}  // namespace podctl::workflow

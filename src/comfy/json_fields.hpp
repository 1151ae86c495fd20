#pragma once

#include "podctl/base/json_fields.hpp"

#include <nlohmann/json.hpp>

namespace podctl::comfy {

using nlohmann::json;

}  // namespace podctl::comfy

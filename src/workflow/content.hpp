#pragma once

#include "podctl/workflow/workflow.hpp"

#include <nlohmann/json.hpp>

namespace podctl::workflow {

struct Content {
    Format format = Format::api;
    nlohmann::json value;
};

}  // namespace podctl::workflow

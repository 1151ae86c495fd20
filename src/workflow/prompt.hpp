#pragma once

#include "podctl/workflow/workflow.hpp"

#include "class_spec.hpp"

namespace podctl::workflow {

// The prompt of a workflow in the UI format. Throws Error{smoke}.
Prompt prompt_of_page(const json& workflow, const ClassTable& table,
                      const ConversionOptions& options);

}  // namespace podctl::workflow

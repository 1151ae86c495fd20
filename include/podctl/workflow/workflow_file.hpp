#pragma once

#include "podctl/workflow/carrier.hpp"
#include "podctl/workflow/workflow.hpp"

#include <filesystem>

namespace podctl::workflow {

// The workflow in a file that a user names: as JSON, in any form that read_workflow() takes, or
// carried by what ComfyUI has made of it. Its bytes decide, not its name. Of a carrier with both
// formats the UI one counts, as for the page. Throws Error{usage} for what has none, Error{io} and
// Error{not_found}.
Workflow read_workflow_file(const std::filesystem::path& path);

// The same of what was found in the file `name`. Throws Error{usage}.
Workflow read_workflow(const CarriedWorkflow& carried, const std::string& name);

}  // namespace podctl::workflow

#pragma once

#include "json_fields.hpp"
#include "node_class.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace podctl::comfy {

// A workflow as a file has it: in the format that ComfyUI's page saves (ui), or in the one that
// POST /prompt takes (api).
struct Workflow {
    enum class Format { api, ui } format = Format::api;
    json content;
};

// One that needs no model, and makes a picture that no run before it made: ComfyUI keeps results,
// and answers with them when it is asked the same again. Its picture lies in the temp folder.
Workflow built_in_workflow();

// `name` is for messages. Throws Error{usage} for what is no workflow.
Workflow read_workflow(std::string_view text, const std::string& name);

// A node that the server would run, and where the workflow says that its class comes from.
struct PlannedNode {
    std::string id, class_type, title;
    std::string registry_id = {};  // properties.cnr_id
    std::string repository = {};   // properties.aux_id, "user/repo"
};
// A model that the workflow says where to find: properties.models of a node.
struct ModelOrigin {
    std::string name, url, directory;
};
struct WorkflowNeeds {
    std::vector<PlannedNode> nodes = {};
    std::vector<ModelOrigin> models = {};
};
// Throws Error{smoke} for a graph that cannot be followed.
WorkflowNeeds needs_of(const Workflow& workflow);

// What POST /prompt takes. `classes` has every class of needs_of(). Throws Error{smoke}.
json to_prompt(const Workflow& workflow, const NodeClasses& classes);

}  // namespace podctl::comfy

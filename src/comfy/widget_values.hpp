#pragma once

#include "json_fields.hpp"
#include "node_class.hpp"
#include "ui_workflow.hpp"

namespace podctl::comfy {

// The inputs of a node that are widgets, with the values that the workflow saved. The workflow has
// them as a bare list, in the order in which the page makes widgets of the class's inputs
// (ComfyUI_frontend, src/scripts/widgets.ts); a widget that the class got since then has its
// default.
json widget_values(const UiNode& node, const NodeClass& known);

// A value that is a list goes wrapped: a bare list means a link.
json as_input(const json& value);

}  // namespace podctl::comfy

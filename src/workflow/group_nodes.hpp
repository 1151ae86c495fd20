#pragma once

#include "class_spec.hpp"

namespace podctl::workflow {

// Group nodes, which were there before subgraphs, become subgraphs of `workflow`, each with a
// definition of its own. Values that were saved with the group go into the nodes inside, as the
// member `group_values`. One whose classes the server does not all have stays as it is.
void unfold_group_nodes(json& workflow, const ClassTable& table);

// Values by name, which an inner node of a group has from the group's node.
constexpr const char* group_values = "podctl group values";

}  // namespace podctl::workflow

#pragma once

#include "page_node.hpp"

namespace podctl::workflow {

// A node of ComfyUI-VideoHelperSuite, which saves its values by name.
bool is_video_helper(const PageNode& node);

// Gives its widgets what was saved, by name or as a list, and those that are not named their
// default.
void restore_by_name(PageNode& node, const json& saved);

}  // namespace podctl::workflow

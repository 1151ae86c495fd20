#pragma once

#include "page_node.hpp"

namespace podctl::workflow {

// Widgets that the page's and the packs' own JavaScript adds to a class, where it is known.
void add_script_widgets(PageNode& node, bool is_recent);
// What of them comes of the values that were saved.
void restore_script_widgets(PageNode& node, const json& saved);

}  // namespace podctl::workflow

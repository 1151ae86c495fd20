#pragma once

#include "page.hpp"

namespace podctl::workflow {

// Writes the value of a PrimitiveNode into the widgets that it is linked to, also where it is muted
// or bypassed: PrimitiveNode.applyToGraph().
void apply_primitive(Page& page, PageNode& primitive);

}  // namespace podctl::workflow

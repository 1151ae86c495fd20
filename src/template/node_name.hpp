#pragma once

#include "value.hpp"

#include <string>

namespace podctl::tmpl {

// The folder of a custom node under custom_nodes/: its `name`, the repository's, the registry's id,
// or the copied folder's. Empty: none of them tells.
std::string node_name(const Value& item);

}  // namespace podctl::tmpl

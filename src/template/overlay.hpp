#pragma once

#include "diagnostics.hpp"
#include "value.hpp"

#include <string>

namespace podctl::tmpl {

// Mappings merge, everything else is replaced; a null takes the key out.
void merge(Value& base, Value over);

// Applies one --set KEY=VALUE: a dotted path, a list's index by number (its length appends), VALUE
// in YAML. What is missing on the way is created. Throws Error{usage} when it is no KEY=VALUE.
void apply_set(Value& root, const std::string& assignment, Diagnostics& diagnostics);

}  // namespace podctl::tmpl

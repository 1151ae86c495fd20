#pragma once

#include "value.hpp"

#include <string>

namespace podctl::tmpl {

// A valid template as YAML in the table's order; reading it again gives the same template.
std::string emit_yaml(const Value& root);

}  // namespace podctl::tmpl

#pragma once

#include "podctl/template/template.hpp"

#include "value.hpp"

namespace podctl::tmpl {

// The values of a template that validate() and check_all() found nothing wrong with; what it does
// not set has the default of template.hpp.
Template bind(const Value& root);

}  // namespace podctl::tmpl

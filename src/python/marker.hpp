#pragma once

#include <string_view>

namespace podctl::python {

// Whether an environment marker (PEP 508) may hold on this machine. What only an interpreter could
// tell (python_version, extra) and what cannot be read counts as true.
bool marker_may_hold(std::string_view marker);

}  // namespace podctl::python

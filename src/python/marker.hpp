#pragma once

#include <string_view>

namespace podctl::python {

// Whether an environment marker (PEP 508) may hold on this machine, under a Python of `version`
// ("3.11.7"; empty: any). What only an installer could tell (extra) and what cannot be read counts
// as true.
bool marker_may_hold(std::string_view marker, std::string_view version = {});

}  // namespace podctl::python

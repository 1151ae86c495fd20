#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace podctl::python {

// What a wheel's name (PEP 427, PEP 425) says it is for, where that is not this machine with a
// CPython of `version` ("3.11.7"): "cp312-cp312-win_amd64". nullopt: it fits, or the name says
// nothing. `address` is a path or a URL.
std::optional<std::string> foreign_wheel(std::string_view address, std::string_view version);

}  // namespace podctl::python

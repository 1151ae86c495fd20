#pragma once

#include "conflict_remedies.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace podctl::run {

// For each custom node of the template among the sources that ask: its newest version near the
// present one with which the attempt would succeed, and the line of the template for it. Asks the
// registry and git, for some seconds in all; what cannot be had is left out. Offline nobody is
// asked. Throws Error{interrupted}.
std::vector<std::string> other_versions(const Attempt& attempt,
                                        const std::vector<std::size_t>& asking, const Task& task);

}  // namespace podctl::run

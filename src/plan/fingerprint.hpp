#pragma once

#include "podctl/plan/plan.hpp"

#include <string>

namespace podctl::plan {

// A digest of everything in the action that decides its result.
std::string fingerprint_of(const Action& action);

}  // namespace podctl::plan

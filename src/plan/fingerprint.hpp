#pragma once

#include <string>

#include "podctl/plan/plan.hpp"

namespace podctl::plan {

// A digest of everything in the action that decides its result.
std::string fingerprint_of(const Action& action);

}  // namespace podctl::plan

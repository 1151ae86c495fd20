#pragma once

#include "podctl/plan/plan.hpp"

#include "context.hpp"

#include <stop_token>

// Environments that are in the pod's own folder now and were on the volume before. Other pods may
// still run from them, so they stay until somebody says that they are to go.
namespace podctl::run {

void tell_of_environments_on_volume(const plan::Plan& plan, Context& context);
// Throws Error{io}.
void prune_environments_on_volume(const plan::Plan& plan, const std::stop_token& stop);

}  // namespace podctl::run

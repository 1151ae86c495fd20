#pragma once

#include "podctl/plan/plan.hpp"

#include "../context.hpp"

#include <stop_token>
#include <string>

// Environments of the container's disk, as snapshots on the volume: taken behind a pod that has
// answered, unpacked by the next one.
namespace podctl::run {

// Unpacks the newest snapshot that fits the interpreter and makes it the current generation, with
// all that was known of it: the lock, and the records of its steps. With `fingerprint` only one
// that is finished with it. False: there is none, or the one that was there is not to be trusted,
// which is told.
bool restore_environment(const plan::EnvironmentSpec& spec, const std::string& fingerprint,
                         const Task& task);

// Takes one of the environment that stands there, unless there is one already. `steps` are those of
// the plan that belong to it. Throws what python::pack_environment() throws.
void keep_environment(const plan::EnvironmentSpec& spec, const std::vector<std::string>& steps,
                      Context& context, const std::stop_token& stop);

}  // namespace podctl::run

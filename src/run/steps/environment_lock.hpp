#pragma once

#include "podctl/python/python.hpp"

#include "../context.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

// What an environment is resolved to, and from what.
namespace podctl::run {

// A digest of everything that the resolution depends on, read now. `task` is the step's that
// resolves it, here and below.
std::string inputs_digest(const plan::EnvironmentSpec& spec, const Task& task);

// Whether resolve_environment() would ask the installer.
bool needs_resolution(const plan::EnvironmentSpec& spec, const Task& task);

// Writes the lock file, from the resolutions that are kept or by a new one. The facts are its
// digest and what it was resolved from: nothing, where an index could not be asked, so that the
// next run asks again.
LockFacts resolve_environment(const plan::EnvironmentSpec& spec, const Task& task);

std::filesystem::path lock_file(const plan::EnvironmentSpec& spec, const Task& task);
std::filesystem::path lock_file(const plan::EnvironmentSpec& spec, const plan::Places& places);

// What the lock file says; nothing where there is none that may be trusted.
python::Lock read_lock(const plan::EnvironmentSpec& spec, const Task& task);

// The digest of what is to be installed; nullopt: not resolved yet.
std::optional<std::string> lock_digest(const plan::EnvironmentSpec& spec, const Task& task);

// The lock file is the one that was resolved from what there is now; keep, or why it is not.
Look look_at_lock(const plan::EnvironmentSpec& spec, const Task& task);

}  // namespace podctl::run

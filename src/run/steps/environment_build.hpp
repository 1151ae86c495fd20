#pragma once

#include "podctl/python/drift.hpp"

#include "../context.hpp"

#include <string>
#include <vector>

// How an environment comes to stand at its place.
namespace podctl::run {

// The fingerprint of the environment that is to stand there: its identity and the lock's digest.
// Empty while one of the two is not known.
std::string wanted_fingerprint(const plan::EnvironmentSpec& spec, const Task& task);

// Takes what stands there when it fits, else begins another one beside it. Returns whether it did.
bool create_environment(const plan::EnvironmentSpec& spec, const Task& task);

// How closely an environment is looked at: by --verify each file.
python::DriftCheck drift_check(const Task& task);

// What others have done to the environment since podctl left it, against the lock file.
python::Drift drift_in(const plan::EnvironmentSpec& spec, const Task& task);

// Installs the lock file's pins into an environment of their own, which is swapped in when it is
// whole; the one that stands there stays as it is until then. One that is there already is taken.
// `environment: system`: into the interpreter itself. `damaged`: packages whose files somebody has
// changed, in the installer's cache too (drift.hpp).
void install_environment(const plan::EnvironmentSpec& spec, const std::vector<std::string>& damaged,
                         const Task& task);

}  // namespace podctl::run

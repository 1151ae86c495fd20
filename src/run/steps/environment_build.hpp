#pragma once

#include "podctl/python/python.hpp"

#include "../context.hpp"

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

// What the steps of an environment have in common.
namespace podctl::run {

python::Settings settings_of(const plan::EnvironmentSpec& spec, const Context& context);
python::InstallerChoice choice_of(const plan::EnvironmentSpec& spec);

// Whether the image's torch is the one to run with: none other is asked for, or it is of the wheel
// tag that is (PyTorch's wheels say theirs in the local version: 2.9.0+cu128).
bool takes_torch_of(const python::Interpreter& base, const plan::EnvironmentSpec& spec);

// Whether packages that come as source alone can be built here.
bool has_compiler();

// Whether resolve_environment() would ask the installer.
bool needs_resolution(const plan::EnvironmentSpec& spec, const Task& task);

// The environment's python, or the interpreter's own for `environment: system`.
std::filesystem::path python_of(const plan::EnvironmentSpec& spec, const Task& task);

// The journal's id for what is known of the interpreter below an environment.
std::string base_id(const plan::EnvironmentSpec& spec);

// Whether the interpreter that an environment was made from is still the same, packages included;
// by reading folders alone.
bool base_unchanged(const Record& base);

// For `environment: system`: a digest of what is installed there now.
std::string installed_distributions(const plan::EnvironmentSpec& spec, const Task& task);

// What tells environments of the same packages apart: the interpreter, and what is inherited of it.
std::string identity_of(const plan::EnvironmentSpec& spec, const Record& base);

// The digest of what is to be installed; nullopt: not resolved yet.
std::optional<std::string> lock_digest(const plan::EnvironmentSpec& spec, const Task& task);

// What it was resolved to, while that is still what it would be resolved from; `task` is the
// step's that resolves it.
std::optional<python::Lock> current_lock(const plan::EnvironmentSpec& spec, const Task& task);

// The fingerprint of the environment that is to stand there: its identity and the lock's digest.
// Empty while one of the two is not known.
std::string wanted_fingerprint(const plan::EnvironmentSpec& spec, const Task& task);

// Takes what stands there when it fits, else begins another one beside it. Returns whether it did.
bool create_environment(const plan::EnvironmentSpec& spec, const Task& task);

// Requirement files that count now: the template's, ComfyUI's, every pack's.
std::vector<python::RequirementSource> requirement_sources(const plan::EnvironmentSpec& spec);

// A digest of everything that the resolution depends on, read now.
std::string inputs_digest(const plan::EnvironmentSpec& spec, const Task& task);

std::filesystem::path lock_file(const plan::EnvironmentSpec& spec, const Task& task);

// The packages that a lock pins, by normalised name.
std::set<std::string> names_in(const python::Lock& lock);

// Writes the lock file. Returns its digest.
std::string resolve_environment(const plan::EnvironmentSpec& spec, const Task& task);

// Installs the lock file's pins into an environment of their own, which is swapped in when it is
// whole; the one that stands there stays as it is until then. One that is there already is taken.
// `environment: system`: into the interpreter itself.
void install_environment(const plan::EnvironmentSpec& spec, const Task& task);

// Packages of the interpreter that no requirement may replace, as pins ("torch==2.14.1").
std::vector<std::string> held_pins(const plan::EnvironmentSpec& spec, const Task& task);

}  // namespace podctl::run

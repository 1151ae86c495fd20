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

python::Settings settings_of(const plan::EnvironmentSpec& spec, const Task& task);

// The environment's python, or the interpreter's own for `environment: system`.
std::filesystem::path python_of(const plan::EnvironmentSpec& spec, const Task& task);

// The journal's id for what is known of the interpreter below an environment.
std::string base_id(const plan::EnvironmentSpec& spec);

// Whether the interpreter that an environment was made from is still the same, packages included;
// by reading folders alone.
bool base_unchanged(const Record& base);

// For `environment: system`: a digest of what is installed there now.
std::string installed_distributions(const plan::EnvironmentSpec& spec, const Task& task);

// Creates it, or takes what stands there when it fits. Returns whether it was made anew.
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

// Installs the lock file's pins.
void install_environment(const plan::EnvironmentSpec& spec, const Task& task);

// Packages of the interpreter that no requirement may replace, as pins ("torch==2.14.1").
std::vector<std::string> held_pins(const plan::EnvironmentSpec& spec, const Task& task);

}  // namespace podctl::run

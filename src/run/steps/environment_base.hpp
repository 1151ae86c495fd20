#pragma once

#include "podctl/python/python.hpp"

#include "../context.hpp"

#include <filesystem>
#include <string>
#include <vector>

// What an environment is made from: the interpreter below it, its torch, the installer.
namespace podctl::run {

python::InstallerChoice choice_of(const plan::EnvironmentSpec& spec);
python::Settings settings_of(const plan::EnvironmentSpec& spec, const Context& context);

// The interpreter, asked once per run and noted in the journal.
python::Interpreter base_of(const plan::EnvironmentSpec& spec, const Task& task);

// Everything that a call of the installer takes.
struct Toolset {
    python::Interpreter base;
    python::Settings settings;
    python::Installer installer = {};
};
// Finds them; uv is brought when it has to be. Throws what torch_tag() and find_installer() throw.
Toolset toolset_of(const plan::EnvironmentSpec& spec, const Task& task);

// Whether the interpreter's own packages are seen by the environment.
bool sees_base(const plan::EnvironmentSpec& spec);

// Whether the image's torch is the one to run with: none other is asked for, or it is of the wheel
// tag that is (PyTorch's wheels say theirs in the local version: 2.9.0+cu128).
bool takes_torch_of(const python::Interpreter& base, const plan::EnvironmentSpec& spec);

// The wheel tag of the interpreter's own torch: "cu128", "cpu"; empty: there is none, or it does
// not tell. By its version, else by the file in which PyTorch notes what it was built with
// (torch/version.py); nothing is run.
std::string torch_tag_of(const python::Interpreter& base);

// What the environment can take from the image, without a torch of the wrong build.
std::vector<python::Package> inherited(const plan::EnvironmentSpec& spec,
                                       const python::Interpreter& base);
// Those of them that no requirement may replace, and the same as pins ("torch==2.14.1").
std::vector<std::string> held(const plan::EnvironmentSpec& spec, const python::Interpreter& base);
std::vector<std::string> held_pins(const plan::EnvironmentSpec& spec, const Task& task);

// The environment's python, or the interpreter's own for `environment: system`.
std::filesystem::path python_of(const plan::EnvironmentSpec& spec, const Task& task);

// The journal's id for what is known of the interpreter below an environment.
std::string base_id(const plan::EnvironmentSpec& spec);

// Whether the interpreter that an environment was made from is still the same, packages included;
// by reading folders alone.
bool base_unchanged(const BaseFacts& base);

// For `environment: system`: a digest of what is installed there now.
std::string installed_distributions(const plan::EnvironmentSpec& spec, const Task& task);

// What tells environments of the same packages apart: the interpreter, and what is inherited of it.
// `base` is the journal's record of it.
std::string identity_of(const plan::EnvironmentSpec& spec, const Record& base);

// Whether packages that come as source alone can be built here.
bool has_compiler();

}  // namespace podctl::run

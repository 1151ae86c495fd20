#pragma once

#include "podctl/plan/plan.hpp"
#include "podctl/python/python.hpp"
#include "podctl/run/journal.hpp"

#include <string>
#include <vector>

// The packs under custom_nodes/, as far as an environment has to do with them.
namespace podctl::run {

// The journal's id of the step that brought a pack. A pack that podctl brought and that the
// template does not name any more counts as left: ComfyUI still loads it, but nothing is resolved
// for it. One that somebody else put there counts as one of the template's.
std::string pack_id(const std::string& name);
// A record of a pack's install.py, which may have the id of another pack: node:x.install.
bool is_of_script(const Record& record);
bool is_left(const plan::EnvironmentSpec& spec, const std::string& name, const Journal& journal);

// Requirement files that count now: the template's, ComfyUI's, every pack's.
std::vector<python::RequirementSource> requirement_sources(const plan::EnvironmentSpec& spec,
                                                           const Journal& journal);

// Whether some pack calls `python -m pip`, by its install.py or by what it runs before ComfyUI
// starts, as ComfyUI-Manager does, in an environment that does not see the interpreter's.
bool wants_pip(const plan::EnvironmentSpec& spec, const Journal& journal);

}  // namespace podctl::run

#pragma once

#include "podctl/base/secret.hpp"
#include "podctl/event/event.hpp"
#include "podctl/plan/plan.hpp"
#include "podctl/serve/serve.hpp"
#include "podctl/template/template.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace podctl::serve {

// The processes of a pod: ComfyUI, with the flags that its checkout knows, and the template's
// services, each with the Python of its environment first in PATH. `python` is the interpreter of
// ComfyUI's environment. Nodes that ComfyUI could not import are told as event::NodeFailed,
// redacted. `environment` is added for every child; of `secrets` each gets those that the template
// lets it have (comfyui.secrets, services[].secrets), under their names.
std::vector<ServiceSpec> services_of(const tmpl::Template& pod, const plan::Places& places,
                                     const std::filesystem::path& python,
                                     const std::map<std::string, std::string>& environment,
                                     const std::map<std::string, Secret>& secrets,
                                     EventSink& events);

}  // namespace podctl::serve

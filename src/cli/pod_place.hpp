#pragma once

#include "podctl/plan/plan.hpp"

#include "command.hpp"

#include <string>
#include <vector>

namespace podctl::cli {

// Which pod a command means that talks to a running one, and which service of it.
struct PodArguments {
    // Empty: --root, else podctl.yaml or pod.yaml of the current folder, else /workspace.
    std::string template_path;
    std::vector<std::string> services;  // empty: all
};

// [TEMPLATE].
void add_pod_argument(CLI::App& command, PodArguments& arguments);
// [TEMPLATE] and, in any order, so many services: names of services hold no dot and no slash.
enum class Services { one, any };
void add_pod_and_service_arguments(CLI::App& command, PodArguments& arguments, Services services);

// Where the pod lies: --root, else what the template says, else /workspace; nothing may be there.
// Throws what load() throws.
plan::Places find_places(const PodArguments& arguments, const Common& common);

}  // namespace podctl::cli

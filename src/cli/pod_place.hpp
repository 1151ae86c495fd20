#pragma once

#include "podctl/plan/plan.hpp"

#include "command.hpp"

#include <string>

namespace podctl::cli {

// Which pod a command means that talks to a running one, and which service of it.
struct PodArguments {
    std::string template_path;  // empty: --root or /workspace
    std::string service;        // empty: all
};

// [TEMPLATE].
void add_pod_argument(CLI::App& command, PodArguments& arguments);
// [TEMPLATE] and [SERVICE], in any order: names of services hold no dot and no slash.
void add_pod_and_service_arguments(CLI::App& command, PodArguments& arguments);

// Where the pod lies: --root, else what the template says, else /workspace where it has a pod's
// state. Throws Error{usage} when nothing says it, and what load() throws.
plan::Places find_places(const PodArguments& arguments, const Common& common);

}  // namespace podctl::cli

#pragma once

#include "podctl/event/event.hpp"
#include "podctl/template/template.hpp"
#include "podctl/workflow/workflow.hpp"

#include "client.hpp"
#include "node_class.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

// What is wrong with a workflow, or was with its run, node by node.
namespace podctl::comfy {

using Faults = std::vector<event::WorkflowFault>;

// What a fault is explained by.
struct Known {
    const Client& client;
    workflow::Format format;
    const workflow::Needs& needs;
    const NodeClasses& classes;
    const tmpl::Template* pod;
};

// Nodes whose class ComfyUI does not have: a fault for each pack that would bring them.
Faults missing_classes(const Known& known);
// Nodes that call services which are paid for; at most one fault.
Faults api_nodes(const Known& known, const json& prompt);
// Values that are not among the choices of their input. ComfyUI says so itself when it is asked to
// run a workflow, but not while a class is missing.
Faults missing_choices(const Known& known, const json& prompt);
// Those of them that ComfyUI would not say: it does not check a choice that the class declares as
// "COMBO", and a model that is not there fails only in the run.
Faults missing_unchecked_models(const Known& known, const json& prompt);
// What POST /prompt found, also in a workflow that it takes in part.
Faults refused_nodes(const Known& known, const json& prompt, const json& answer);
// The node that ended the run, of the entry in /history; empty: the run ended well.
Faults failed_node(const json& history_entry);
// What was not tested since ComfyUI had its result of an earlier prompt; at most one fault.
Faults untested_nodes(const std::vector<event::WorkflowNode>& nodes);
// Nodes whose results ComfyUI had of an earlier prompt.
std::set<std::string> cached_nodes(const json& history_entry);
// Those that ran until one failed; nullopt: it did not say.
std::optional<std::set<std::string>> executed_nodes(const json& history_entry);

}  // namespace podctl::comfy

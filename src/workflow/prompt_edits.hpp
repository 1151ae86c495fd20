#pragma once

#include "podctl/workflow/workflow.hpp"

#include "class_spec.hpp"

#include <map>
#include <string>

// What is changed of a prompt after the workflow has been made into it.
namespace podctl::workflow {

// How a value changes after each run ("randomize", "increment", …), by node and input.
using Controls = std::map<std::string, std::map<std::string, std::string>>;

// Moves what is controlled on by options.repeat runs, gives files the names that they have at the
// server, and sets options.values, in this order. Throws Error{usage} for a value whose node or
// input there is not, or that its input cannot be.
void edit_prompt(json& nodes, const ClassTable& table, const Controls& controls,
                 const ConversionOptions& options);

// Of a prompt whose workflow does not say it: what the page would give a control is random.
Controls usual_controls(const json& nodes, const ClassTable& table);

}  // namespace podctl::workflow

#pragma once

#include "podctl/template/template.hpp"
#include "podctl/workflow/workflow.hpp"

#include "client.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

// Who provides what a workflow lacks: the template, or what the template could have.
namespace podctl::comfy {

using workflow::ModelOrigin;
using workflow::PlannedNode;

// "user/repo" of what nodes say of their pack (properties.aux_id), which others have written in
// many ways: with a slash at its end, as a URL, with .git. A name alone stays one.
std::string repository_name(std::string_view aux_id);

// What to do about a node whose class is missing. `failed` has the custom nodes that could not be
// imported, with the reasons.
std::string remedy_for_class(const PlannedNode& node, const tmpl::Template* pod,
                             const std::map<std::string, std::string>& failed);

// A choice among the files of a folder under models/.
struct MissingModel {
    std::string file;        // as the workflow names it, maybe with subfolders
    std::string class_type;  // of the node
    std::string input;
    std::vector<std::string> choices;  // what the node would take
};
using ModelFiles = std::map<std::string, std::vector<std::string>>;  // by folder

// The folder under models/ that an input of this name is known to offer.
std::optional<std::string> known_folder(const MissingModel& model);
// The same by what the input offers, for a file that has a model's name.
std::optional<std::string> folder_by_files(const MissingModel& model, const ModelFiles& files);
bool is_model_name(std::string_view name);
// What to do about it.
std::string remedy_for_model(const MissingModel& model, const std::optional<std::string>& folder,
                             const std::vector<ModelOrigin>& origins, const tmpl::Template* pod);

}  // namespace podctl::comfy

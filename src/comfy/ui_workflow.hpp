#pragma once

#include "json_fields.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// The workflow format of ComfyUI's page (https://docs.comfy.org/specs/workflow_json, versions 0.4
// and 1), as values.
namespace podctl::comfy {

struct UiSlot {
    std::string name, type;
    std::string link = {};   // id; empty: none
    bool is_widget = false;  // it stands beside a widget, whose value the link replaces
};

struct UiNode {
    std::string id, type, title;
    enum class Mode { runs, muted, bypassed } mode = Mode::runs;
    std::vector<UiSlot> inputs = {};
    std::vector<std::string> output_types = {};
    const json* raw = nullptr;

    const json& widgets_values() const;  // an array, an object, or null
    // The value of the first widget; null: there is none.
    json first_value() const;
};

struct UiLink {
    std::string origin, target;  // node ids
    std::size_t origin_slot = 0, target_slot = 0;
};

// The ids that a subgraph's own inputs and outputs have in its links.
constexpr std::string_view subgraph_inputs = "-10", subgraph_outputs = "-20";

// The main graph, or a subgraph.
struct UiDefinition {
    std::string id, name;
    std::vector<UiNode> nodes = {};
    std::map<std::string, std::size_t> node_index = {};
    std::map<std::string, UiLink> links = {};
    std::vector<std::string> inputs = {};                  // names, of a subgraph
    std::map<std::size_t, std::string> output_links = {};  // by slot, of a subgraph
    // Inputs of a subgraph that lead to a widget, which its node therefore shows, in this order.
    std::set<std::size_t> promoted = {};

    const UiNode* node(const std::string& wanted) const;
    const UiLink* link(const std::string& wanted) const;
};

struct UiDefinitions {
    UiDefinition main;
    std::map<std::string, UiDefinition> subgraphs = {};  // by id, which is the type of a node
};

// Throws Error{smoke}. What it returns points into `workflow`.
UiDefinitions read_ui_workflow(const json& workflow);

// Nodes that exist in the page alone, and give nothing to the server.
bool is_page_only(std::string_view type);

// Whether an output of one type may feed an input of the other: LiteGraph.isValidConnection().
bool fits(std::string_view one, std::string_view other);

}  // namespace podctl::comfy

#include "ui_workflow.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace podctl::comfy {
namespace {

// LiteGraph's numbers (LGraphEventMode); the others make no difference to ComfyUI.
UiNode::Mode mode_of(const json& node) {
    const auto mode = index_of(node.value("mode", json(0)));
    if (mode == 2u) return UiNode::Mode::muted;
    if (mode == 4u) return UiNode::Mode::bypassed;
    return UiNode::Mode::runs;
}

// 0, -1 and lists of choices are types, too.
std::string type_at(const json& slot) {
    const auto* type = member(slot, "type");
    return type && !type->is_null() ? plain_text(*type) : std::string();
}

UiNode read_node(const json& raw, const std::string& place) {
    UiNode node{.id = id_at(raw, "id"),
                .type = text_at(raw, "type"),
                .title = text_at(raw, "title"),
                .raw = &raw};
    if (node.id.empty() || node.type.empty())
        throw Error{ErrorKind::smoke, fmt::format("{}: a node without an id or a type", place),
                    "save the workflow again, in ComfyUI"};
    node.mode = mode_of(raw);
    for (const auto& slot : list_at(raw, "inputs")) {
        const auto* widget = member(slot, "widget");
        node.inputs.push_back({.name = text_at(slot, "name"),
                               .type = type_at(slot),
                               .link = id_at(slot, "link"),
                               .is_widget = widget && !widget->is_null()});
    }
    for (const auto& slot : list_at(raw, "outputs"))
        node.output_types.push_back(type_at(slot));
    return node;
}

// [id, origin, origin's slot, target, target's slot, type], or an object with these names.
void read_link(const json& raw, UiDefinition& into) {
    static constexpr std::array<const char*, 5> names = {"id", "origin_id", "origin_slot",
                                                         "target_id", "target_slot"};
    std::array<json, 5> fields;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (raw.is_array() && i < raw.size()) fields[i] = raw[i];
        if (raw.is_object()) fields[i] = raw.value(names[i], json());
    }
    const auto origin_slot = index_of(fields[2]), target_slot = index_of(fields[4]);
    const auto id = id_text(fields[0]);
    if (id.empty() || !origin_slot || !target_slot) return;  // a link that leads nowhere
    UiLink link{.origin = id_text(fields[1]),
                .target = id_text(fields[3]),
                .origin_slot = *origin_slot,
                .target_slot = *target_slot};
    if (link.target == subgraph_outputs) into.output_links[link.target_slot] = id;
    into.links[id] = std::move(link);
}

void find_promoted(UiDefinition& subgraph) {
    for (const auto& [id, link] : subgraph.links) {
        if (link.origin != subgraph_inputs) continue;
        const auto* target = subgraph.node(link.target);
        if (target && link.target_slot < target->inputs.size() &&
            target->inputs[link.target_slot].is_widget)
            subgraph.promoted.insert(link.origin_slot);
    }
}

UiDefinition read_definition(const json& raw, const std::string& place) {
    UiDefinition read{.id = id_at(raw, "id"), .name = text_at(raw, "name")};
    for (const auto& node : list_at(raw, "nodes")) {
        read.nodes.push_back(read_node(node, place));
        read.node_index[read.nodes.back().id] = read.nodes.size() - 1;
    }
    for (const auto& link : list_at(raw, "links"))
        read_link(link, read);
    find_promoted(read);
    for (const auto& input : list_at(raw, "inputs"))
        read.inputs.push_back(text_at(input, "name"));
    return read;
}

}  // namespace

const json& UiNode::widgets_values() const {
    static const json none;
    const auto* values = member(*raw, "widgets_values");
    return values ? *values : none;
}

json UiNode::first_value() const {
    const auto& values = widgets_values();
    if (!values.is_structured() || values.empty()) return {};
    return *values.begin();
}

const UiNode* UiDefinition::node(const std::string& wanted) const {
    const auto found = node_index.find(wanted);
    return found == node_index.end() ? nullptr : &nodes[found->second];
}

const UiLink* UiDefinition::link(const std::string& wanted) const {
    const auto found = links.find(wanted);
    return found == links.end() ? nullptr : &found->second;
}

UiDefinitions read_ui_workflow(const json& workflow) {
    UiDefinitions read{.main = read_definition(workflow, "the workflow")};
    for (const auto& raw : list_at(object_at(workflow, "definitions"), "subgraphs")) {
        auto subgraph = read_definition(raw, "subgraph " + text_at(raw, "name"));
        if (!subgraph.id.empty()) read.subgraphs.insert_or_assign(subgraph.id, std::move(subgraph));
    }
    return read;
}

bool is_page_only(std::string_view type) {
    // ComfyUI's own, then those of rgthree-comfy and ComfyUI-KJNodes, which many workflows have.
    static constexpr std::array<std::string_view, 18> types = {"Note",
                                                               "MarkdownNote",
                                                               "PrimitiveNode",
                                                               "Reroute",
                                                               "Reroute (rgthree)",
                                                               "Label (rgthree)",
                                                               "Bookmark (rgthree)",
                                                               "Fast Muter (rgthree)",
                                                               "Fast Bypasser (rgthree)",
                                                               "Fast Groups Muter (rgthree)",
                                                               "Fast Groups Bypasser (rgthree)",
                                                               "Fast Actions Button (rgthree)",
                                                               "Node Collector (rgthree)",
                                                               "Mute / Bypass Repeater (rgthree)",
                                                               "Mute / Bypass Relay (rgthree)",
                                                               "Random Unmuter (rgthree)",
                                                               "SetNode",
                                                               "GetNode"};
    return std::ranges::find(types, type) != types.end();
}

bool fits(std::string_view one, std::string_view other) {
    const auto is_any = [](std::string_view type) {
        return type.empty() || type == "*" || type == "0";
    };
    if (is_any(one) || is_any(other)) return true;
    const auto ones = split(to_lower(one), ','), others = split(to_lower(other), ',');
    return std::ranges::find_first_of(ones, others) != ones.end();
}

}  // namespace podctl::comfy

#include "podctl/base/error.hpp"

#include "dynamic_inputs.hpp"
#include "group_nodes.hpp"
#include "pack_widgets.hpp"
#include "page.hpp"
#include "video_helper.hpp"
#include "widget_types.hpp"

#include <fmt/format.h>

#include <algorithm>

// LGraph.configure() and LGraphNode.configure() of litegraph, and ComfyNode.configure() of
// ComfyUI_frontend's src/services/litegraphService.ts.
namespace podctl::workflow {
namespace {

constexpr std::size_t most_nodes = 20'000;

// LiteGraph's numbers (LGraphEventMode); the others make no difference to ComfyUI.
PageNode::Mode mode_of(const json& raw) {
    const auto* mode = member(raw, "mode");
    const auto number = mode ? index_of(*mode) : std::nullopt;
    if (number == 2u) return PageNode::Mode::muted;
    if (number == 4u) return PageNode::Mode::bypassed;
    return PageNode::Mode::runs;
}

// 0, -1 and lists of choices are types, too.
std::string type_at(const json& slot) {
    const auto* type = member(slot, "type");
    return type && !type->is_null() ? plain_text(*type) : std::string();
}

std::string widget_at(const json& slot) {
    const auto* widget = member(slot, "widget");
    return widget ? text_at(*widget, "name") : std::string();
}

// Classes that have another name since, which the page knows.
std::string current_name(const std::string& type, const ClassTable& table) {
    static const std::map<std::string, std::string> renamed = {
        {"T2IAdapterLoader", "ControlNetLoader"},
        {"ConditioningAverage ", "ConditioningAverage"},
        {"SDV_img2vid_Conditioning", "SVD_img2vid_Conditioning"},
    };
    const auto found = renamed.find(type);
    return found != renamed.end() && table.find(found->second) ? found->second : type;
}

std::unique_ptr<PageNode> make_node(Page& page, PageGraph& graph, const json& raw) {
    auto node = std::make_unique<PageNode>();
    node->id = id_at(raw, "id");
    node->type = text_at(raw, "type");
    node->title = text_at(raw, "title");
    if (node->id.empty() || node->type.empty())
        throw Error{ErrorKind::smoke,
                    fmt::format("{}: a node without an id or a type",
                                graph.name.empty() ? "the workflow" : "subgraph " + graph.name),
                    "save the workflow again, in ComfyUI"};
    node->mode = mode_of(raw);
    node->raw = &raw;
    node->graph = &graph;
    node->type = current_name(node->type, page.table);
    node->known = page.table.find(node->type);
    const auto subgraph = page.subgraphs.find(node->type);
    if (subgraph != page.subgraphs.end()) {
        node->subgraph = subgraph->second.get();
        node->known = nullptr;
        for (const auto& input : node->subgraph->inputs)
            node->inputs.push_back({.name = input.name, .type = input.type});
        for (const auto& output : node->subgraph->outputs)
            node->output_types.push_back(output.type);
    }
    node->is_virtual = node->subgraph || (!node->known && is_page_only(node->type));
    if (node->title.empty())
        node->title = node->known      ? node->known->display_name
                      : node->subgraph ? node->subgraph->name
                                       : node->type;
    if (node->known) {
        make_inputs(*node, page.table);
        add_script_widgets(*node, page.table.is_recent);
        node->output_types = node->known->output_types;
    }
    return node;
}

// What the class declares, with the links that were saved; then what only the workflow has.
void merge_inputs(PageNode& node) {
    const auto& saved = list_at(*node.raw, "inputs");
    std::map<std::string, const json*> by_name;
    for (const auto& slot : saved)
        by_name[text_at(slot, "name")] = &slot;
    const bool is_declared = node.known || node.subgraph;
    std::map<std::string, bool> declared;
    if (is_declared)
        for (auto& slot : node.inputs) {
            declared[slot.name] = true;
            const auto found = by_name.find(slot.name);
            if (found != by_name.end()) slot.link = id_at(*found->second, "link");
        }
    // A subgraph's node drops what its definition does not have.
    if (node.subgraph) return;
    for (const auto& slot : saved) {
        const auto name = text_at(slot, "name");
        if (!declared.contains(name))
            node.inputs.push_back({.name = name,
                                   .type = type_at(slot),
                                   .link = id_at(slot, "link"),
                                   .widget = widget_at(slot)});
    }
}

void merge_outputs(PageNode& node) {
    const auto& saved = list_at(*node.raw, "outputs");
    for (std::size_t i = 0; i < saved.size(); ++i) {
        if (i >= node.output_types.size()) node.output_types.push_back(type_at(saved[i]));
        std::vector<std::string> links;
        for (const auto& link : list_at(saved[i], "links"))
            links.push_back(id_text(link));
        node.output_links.push_back(std::move(links));
    }
}

// migrateWidgetsValues(): an input that is no widget any more still has a place in the list of an
// old workflow. The two pages count the places differently.
json without_forced(const PageNode& node, const json& values, bool is_recent) {
    std::vector<bool> forced;
    std::vector<bool> of_input;
    std::size_t places = 0;
    for (const auto& spec : node.known->inputs) {
        const bool is_forced = spec.is_set("forceInput");
        if (!is_forced && !node.widget(spec.name)) continue;
        const bool has_control = spec.is_set("control_after_generate");
        const bool is_seed = spec.name == "seed" || spec.name == "noise_seed";
        forced.push_back(is_forced);
        if (has_control) forced.push_back(false);
        of_input.push_back(is_forced);
        places += has_control || is_seed ? 2 : 1;
    }
    if (is_recent ? forced.size() != values.size() : places != values.size()) return values;
    const auto& drops = is_recent ? forced : of_input;
    json kept = json::array();
    for (std::size_t i = 0; i < values.size(); ++i)
        if (i >= drops.size() || !drops[i]) kept.push_back(values[i]);
    return kept;
}

// In place, since a value may bring or take away the widgets behind it.
void apply_list(Page& page, PageNode& node, const json& values) {
    std::size_t next = 0;
    for (std::size_t i = 0; i < node.widgets.size(); ++i) {
        const auto widget = node.widgets[i];
        if (!widget->in_workflow) continue;
        if (next >= values.size()) break;
        put_value(node, *widget, values[next++], page.table);
    }
}

// The page does not know values by name in the place of a list: the recent one reads nothing from
// them, and the one before left the defaults.
void apply_object(Page& page, PageNode& node) {
    if (!page.table.is_recent) return;
    for (std::size_t i = 0; i < node.widgets.size(); ++i)
        if (const auto widget = node.widgets[i]; widget->in_workflow)
            put_value(node, *widget, undefined(), page.table);
}

// A class that the server does not have: src/scripts/errorNodeWidgets.ts.
void make_unknown_widgets(PageNode& node, bool is_recent) {
    for (const auto& value : list_at(*node.raw, "widgets_values")) {
        const bool is_plain = value.is_string() || value.is_number() || value.is_boolean();
        const auto count = node.widgets.size();
        node.widgets.push_back(std::make_shared<Widget>(
            Widget{.name = count == 0 || !is_recent ? "UNKNOWN" : fmt::format("UNKNOWN_{}", count),
                   .value = is_plain ? value : json(plain_text(value))}));
    }
}

// An element of the page gives back text, whatever it was given; the recent page asks its store.
void make_texts(PageNode& node) {
    for (const auto& widget : node.widgets)
        if (widget->kind == Widget::Kind::text_area && !widget->value.is_string())
            widget->value = widget->value.is_null() ? "" : plain_text(widget->value);
}

void apply_saved(Page& page, PageNode& node, const json& values) {
    if (is_video_helper(node)) {
        if (values.is_array()) apply_list(page, node, values);
        restore_by_name(node, values);
    } else if (values.is_array()) {
        apply_list(page, node, without_forced(node, values, page.table.is_recent));
    } else if (values.is_object()) {
        apply_object(page, node);
    }
}

void apply_group_values(Page& page, PageNode& node) {
    for (const auto& [name, value] : object_at(*node.raw, group_values).items())
        if (auto* widget = node.widget(name)) put_value(node, *widget, value, page.table);
}

void apply_promoted(PageNode& node) {
    std::map<std::string, const json*> quarantined;
    for (const auto& entry : list_at(node.properties(), "proxyWidgetErrorQuarantine")) {
        const auto& original = list_at(entry, "originalEntry");
        const auto* value = member(entry, "hostValue");
        if (original.size() > 1 && original[0] == "-1" && value && !value->is_null())
            quarantined.emplace(plain_text(original[1]), value);
    }
    const auto& values = list_at(*node.raw, "widgets_values");
    std::size_t next = 0;
    for (auto& slot : node.inputs) {
        if (!slot.is_promoted) continue;
        const auto other = quarantined.find(slot.name);
        if (other != quarantined.end())
            slot.promoted = *other->second;
        else if (next < values.size())
            slot.promoted = values[next];
        ++next;
    }
}

}  // namespace

void configure_node(Page& page, PageNode& node) {
    merge_inputs(node);
    merge_outputs(node);
    if (node.subgraph) {
        find_promoted(node);
        apply_promoted(node);
        return;
    }
    if (!node.known) {
        if (!node.is_virtual) make_unknown_widgets(node, page.table.is_recent);
        return;
    }
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
        input_was_linked(node, i, page.table);
    if (const auto* values = member(*node.raw, "widgets_values")) apply_saved(page, node, *values);
    if (!page.table.is_recent) make_texts(node);
    restore_script_widgets(node, list_at(*node.raw, "widgets_values"));
    apply_group_values(page, node);
}

void configure_graph(Page& page, PageGraph& graph, const json& saved) {
    const auto& nodes = list_at(saved, "nodes");
    if (nodes.size() > most_nodes)
        throw Error{ErrorKind::smoke,
                    fmt::format("the workflow has more than {} nodes", most_nodes)};
    for (const auto& raw : nodes) {
        auto node = make_node(page, graph, raw);
        // Of two with one id the last one counts.
        if (graph.by_id.contains(node->id))
            std::erase_if(graph.nodes, [&](const auto& it) { return it->id == node->id; });
        graph.by_id[node->id] = node.get();
        graph.nodes.push_back(std::move(node));
    }
    for (const auto& node : graph.nodes) {
        configure_node(page, *node);
        if (node->subgraph) node->subgraph->instances.push_back(node.get());
    }
    if (!page.table.is_recent || page.is_cyclic) return;
    for (const auto& node : graph.nodes)
        if (node->subgraph) migrate_promoted(*node);
}

}  // namespace podctl::workflow

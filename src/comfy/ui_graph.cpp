#include "ui_graph.hpp"

#include "podctl/base/error.hpp"

#include "widget_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace podctl::comfy {
namespace {

// More is no graph that a person made.
constexpr std::size_t most_nodes = 20'000, most_hops = 1'000'000;

bool is_group_node(const UiNode& node) {
    return node.type.starts_with("workflow>") || node.type.starts_with("workflow/");
}

void collect_models(const json& list, std::vector<ModelOrigin>& into) {
    for (const auto& model : list)
        into.push_back({.name = text_at(model, "name"),
                        .url = text_at(model, "url"),
                        .directory = text_at(model, "directory")});
}

// The input that stands in for an output of a bypassed node: the one at the same place, else the
// first one of the type (ExecutableNodeDTO's #getBypassSlotIndex).
std::optional<std::size_t> bypass_input(const UiNode& node, std::size_t slot,
                                        const std::string& type) {
    const auto& inputs = node.inputs;
    if (type.empty() || type == "*") {
        if (inputs.empty()) return std::nullopt;
        return inputs.size() > slot ? slot : 0;
    }
    const std::string given = slot < node.output_types.size() ? node.output_types[slot] : type;
    const auto may_stand_in = [&](const UiSlot& input) {
        return fits(input.type, given) && fits(input.type, type);
    };
    if (slot < inputs.size() && may_stand_in(inputs[slot])) return slot;
    auto found = std::ranges::find(inputs, type, &UiSlot::type);
    if (found == inputs.end()) found = std::ranges::find_if(inputs, may_stand_in);
    if (found == inputs.end()) return std::nullopt;
    return static_cast<std::size_t>(found - inputs.begin());
}

// The value of a widget of a subgraph's node, which stands for one inside. The page shows a widget
// for each input that leads to one, in the order of the inputs, and saves their values as a list;
// newer ones say which is which in properties.proxyWidgets.
json promoted_value(const UiDefinition& subgraph, const UiNode& instance, std::size_t slot) {
    const auto& values = instance.widgets_values();
    if (values.is_object()) return values.value(subgraph.inputs[slot], json());
    const auto at = [&](std::size_t index) {
        return values.is_array() && index < values.size() ? values[index] : json();
    };
    const auto& proxies = list_at(object_at(*instance.raw, "properties"), "proxyWidgets");
    for (std::size_t i = 0; i < proxies.size(); ++i)
        if (proxies[i] == json{"-1", subgraph.inputs[slot]}) return at(i);
    if (!proxies.empty()) return {};
    const auto& promoted = subgraph.promoted;
    if (!promoted.contains(slot)) return {};
    return at(static_cast<std::size_t>(std::distance(promoted.begin(), promoted.find(slot))));
}

}  // namespace

UiGraph::UiGraph(const json& workflow)
    : workflow_(workflow), definitions_(read_ui_workflow(workflow)) {
    root_ = expand(definitions_.main, nullptr, nullptr);
}

std::unique_ptr<UiGraph::Scope> UiGraph::expand(const UiDefinition& definition, const Scope* outer,
                                                const UiNode* instance) {
    for (const Scope* it = outer; it; it = it->outer)
        if (it->definition == &definition)
            throw Error{ErrorKind::smoke,
                        fmt::format("subgraph {} contains itself", definition.name)};
    auto scope = std::make_unique<Scope>();
    *scope = {.definition = &definition, .outer = outer, .instance = instance};
    if (instance) scope->prefix = outer->prefix + instance->id + ":";
    size_ += definition.nodes.size();
    if (size_ > most_nodes)
        throw Error{ErrorKind::smoke,
                    fmt::format("the workflow has more than {} nodes", most_nodes)};
    for (const auto& node : definition.nodes) {
        if (is_group_node(node))
            throw Error{ErrorKind::smoke,
                        fmt::format("node {} is a group node ({})", scope->prefix + node.id,
                                    node.type.substr(9)),
                        "make a subgraph of it, or save the workflow with Export (API)"};
        if (node.type == "SetNode") scope->setters[plain_text(node.first_value())] = &node;
        const auto subgraph = definitions_.subgraphs.find(node.type);
        if (subgraph != definitions_.subgraphs.end())
            scope->inner[node.id] = expand(subgraph->second, scope.get(), &node);
    }
    return scope;
}

template <class Visit>
void UiGraph::for_each_running(const Scope& scope, const Visit& visit) const {
    for (const auto& node : scope.definition->nodes) {
        if (node.mode != UiNode::Mode::runs || is_page_only(node.type)) continue;
        const auto inner = scope.inner.find(node.id);
        if (inner == scope.inner.end())
            visit(scope, node);
        else
            for_each_running(*inner->second, visit);
    }
}

WorkflowNeeds UiGraph::needs() const {
    WorkflowNeeds needs;
    collect_models(list_at(workflow_, "models"), needs.models);
    for_each_running(*root_, [&](const Scope& scope, const UiNode& node) {
        const auto& properties = object_at(*node.raw, "properties");
        needs.nodes.push_back({.id = scope.prefix + node.id,
                               .class_type = node.type,
                               .title = node.title,
                               .registry_id = text_at(properties, "cnr_id"),
                               .repository = text_at(properties, "aux_id")});
        collect_models(list_at(properties, "models"), needs.models);
    });
    return needs;
}

json UiGraph::to_prompt(const NodeClasses& classes) const {
    json prompt = json::object();
    for_each_running(*root_, [&](const Scope& scope, const UiNode& node) {
        const auto known = classes.find(node.type);
        prompt[scope.prefix + node.id] =
            prompt_node(scope, node, known == classes.end() ? nullptr : &known->second);
    });
    return prompt;
}

json UiGraph::prompt_node(const Scope& scope, const UiNode& node, const NodeClass* known) const {
    json inputs = known ? widget_values(node, *known) : json::object();
    for (std::size_t slot = 0; slot < node.inputs.size(); ++slot) {
        const auto feed = resolve(scope, node, slot);
        const auto& name = node.inputs[slot].name;
        if (const auto* source = std::get_if<Source>(&feed))
            inputs[name] = {source->id, source->slot};
        if (const auto* value = std::get_if<json>(&feed)) inputs[name] = as_input(*value);
    }
    return {{"class_type", node.type}, {"inputs", inputs}, {"_meta", {{"title", node.title}}}};
}

// A loop and no recursion: a chain may be as long as the workflow.
UiGraph::Feed UiGraph::resolve(const Scope& scope, const UiNode& node, std::size_t slot) const {
    std::set<Place> visited;
    const std::string& type = node.inputs[slot].type;
    Place place{&scope, &node, slot, Place::Side::input};
    while (visited.insert(place).second) {
        if (++hops_ > most_hops)
            throw Error{ErrorKind::smoke, "the links of the workflow go through too many nodes"};
        Step step = place.side == Place::Side::input ? step_from_input(place)
                                                     : step_from_output(place, type);
        if (const auto* next = std::get_if<Place>(&step)) {
            place = *next;
            continue;
        }
        if (auto* source = std::get_if<Source>(&step)) return std::move(*source);
        if (auto* value = std::get_if<json>(&step)) return std::move(*value);
        return {};
    }
    throw Error{ErrorKind::smoke,
                fmt::format("the links before input {} of node {} go in a circle",
                            node.inputs[slot].name, scope.prefix + node.id),
                "look at its reroutes"};
}

UiGraph::Step UiGraph::step_from_input(const Place& place) const {
    if (place.slot >= place.node->inputs.size()) return {};
    const auto* link = place.scope->definition->link(place.node->inputs[place.slot].link);
    if (!link) return {};
    if (link->origin == subgraph_inputs && place.scope->instance)
        return step_to_outer_input(*place.scope, link->origin_slot);
    const auto* origin = place.scope->definition->node(link->origin);
    if (!origin) return {};
    return Place{place.scope, origin, link->origin_slot, Place::Side::output};
}

// From a subgraph's own input to that of the node which stands for it. The node may list no more
// than the inputs that have a link, so the name tells which it is.
UiGraph::Step UiGraph::step_to_outer_input(const Scope& scope, std::size_t slot) const {
    if (slot >= scope.definition->inputs.size()) return {};
    const auto& inputs = scope.instance->inputs;
    const auto outer = std::ranges::find(inputs, scope.definition->inputs[slot], &UiSlot::name);
    if (outer != inputs.end() && !outer->link.empty())
        return Place{scope.outer, scope.instance, static_cast<std::size_t>(outer - inputs.begin()),
                     Place::Side::input};
    json value = promoted_value(*scope.definition, *scope.instance, slot);
    if (value.is_null()) return {};
    return value;
}

UiGraph::Step UiGraph::step_from_output(const Place& place, const std::string& type) const {
    const auto& node = *place.node;
    if (node.mode == UiNode::Mode::muted) return {};
    if (node.mode == UiNode::Mode::bypassed) {
        const auto input = bypass_input(node, place.slot, type);
        if (!input) return {};
        return Place{place.scope, &node, *input, Place::Side::input};
    }
    if (const auto inner = place.scope->inner.find(node.id); inner != place.scope->inner.end())
        return step_into_subgraph(*inner->second, place.slot);
    if (node.type == "PrimitiveNode") {
        json value = node.first_value();
        if (value.is_null()) return {};
        return value;
    }
    if (node.type == "GetNode") return step_to_setter(place);
    if (is_page_only(node.type)) return Place{place.scope, &node, 0, Place::Side::input};
    return Source{place.scope->prefix + node.id, place.slot};
}

UiGraph::Step UiGraph::step_into_subgraph(const Scope& scope, std::size_t slot) const {
    const auto output = scope.definition->output_links.find(slot);
    if (output == scope.definition->output_links.end()) return {};
    const auto* link = scope.definition->link(output->second);
    if (link->origin == subgraph_inputs) return step_to_outer_input(scope, link->origin_slot);
    const auto* origin = scope.definition->node(link->origin);
    if (!origin) return {};
    return Place{&scope, origin, link->origin_slot, Place::Side::output};
}

// KJNodes' SetNode and GetNode are links without a line, by name.
UiGraph::Step UiGraph::step_to_setter(const Place& getter) const {
    const auto name = plain_text(getter.node->first_value());
    for (const Scope* scope = getter.scope; scope; scope = scope->outer) {
        const auto found = scope->setters.find(name);
        if (found != scope->setters.end())
            return Place{scope, found->second, 0, Place::Side::input};
    }
    return {};
}

}  // namespace podctl::comfy

#include "link_resolver.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

namespace podctl::workflow {
namespace {

// More is no graph that a person made.
constexpr std::size_t most_scoped_nodes = 20'000, most_hops = 1'000'000, most_levels = 200;

// The input that stands in for an output of a bypassed node: the one at the same place, else the
// first one of the type (ExecutableNodeDTO's _getBypassSlotIndex).
std::optional<std::size_t> bypass_input(const PageNode& node, std::size_t slot,
                                        const std::string& type) {
    const auto& inputs = node.inputs;
    if (type.empty() || type == "*") {
        if (inputs.empty()) return std::nullopt;
        return inputs.size() > slot ? slot : 0;
    }
    const std::string given = slot < node.output_types.size() ? node.output_types[slot] : type;
    const auto may_stand_in = [&](const Slot& input) {
        return fits(input.type, given) && fits(input.type, type);
    };
    if (slot < inputs.size() && may_stand_in(inputs[slot])) return slot;
    auto found = std::ranges::find(inputs, type, &Slot::type);
    if (found == inputs.end()) found = std::ranges::find_if(inputs, may_stand_in);
    if (found == inputs.end()) return std::nullopt;
    return static_cast<std::size_t>(found - inputs.begin());
}

std::string first_value(const PageNode& node) {
    const auto* values = member(*node.raw, "widgets_values");
    if (!values || !values->is_structured() || values->empty()) return {};
    return plain_text(*values->begin());
}

}  // namespace

bool fits(std::string_view one, std::string_view other) {
    const auto is_any = [](std::string_view type) {
        return type.empty() || type == "*" || type == "0";
    };
    if (is_any(one) || is_any(other)) return true;
    const auto ones = split(to_lower(one), ','), others = split(to_lower(other), ',');
    return std::ranges::any_of(ones, is_any) || std::ranges::any_of(others, is_any) ||
           std::ranges::find_first_of(ones, others) != ones.end();
}

bool Resolver::Place::operator<(const Place& other) const {
    return std::tie(scope, node, slot, side) <
           std::tie(other.scope, other.node, other.slot, other.side);
}

Resolver::Resolver(const Page& page) : page_(page) {
    root_ = expand(page.root, nullptr, nullptr);
}

std::unique_ptr<Scope> Resolver::expand(const PageGraph& graph, const Scope* outer,
                                        const PageNode* instance) {
    std::size_t levels = 0;
    for (const Scope* it = outer; it; it = it->outer)
        if (it->graph == &graph || ++levels > most_levels)
            throw Error{ErrorKind::smoke, fmt::format("subgraph {} contains itself", graph.name)};
    auto scope = std::make_unique<Scope>();
    scope->graph = &graph;
    scope->outer = outer;
    scope->instance = instance;
    if (instance) scope->prefix = outer->prefix + instance->id + ":";
    size_ += graph.nodes.size();
    if (size_ > most_scoped_nodes)
        throw Error{ErrorKind::smoke,
                    fmt::format("the workflow has more than {} nodes", most_scoped_nodes)};
    for (const auto& node : graph.nodes) {
        if (node->type == "SetNode") scope->setters[first_value(*node)] = node.get();
        if (node->subgraph)
            scope->inner[node.get()] = expand(*node->subgraph, scope.get(), node.get());
    }
    return scope;
}

void Resolver::for_each_running(const Visit& visit) const {
    visit_running(*root_, visit);
}

void Resolver::visit_running(const Scope& scope, const Visit& visit) const {
    for (const auto& node : scope.graph->nodes) {
        const auto inner = scope.inner.find(node.get());
        const bool runs = node->mode == PageNode::Mode::runs;
        // Only in the main graph a subgraph is left out as a whole, and by the page of 2025 not
        // even there: it mutes and bypasses the nodes inside one by one.
        const bool is_looked_into = runs || scope.outer || !page_.table.is_recent;
        if (inner != scope.inner.end() && is_looked_into)
            visit_running(*inner->second, visit);
        else if (runs && !node->is_virtual)
            visit(scope, *node);
    }
}

// A loop and no recursion: a chain may be as long as the workflow.
Resolver::Feed Resolver::resolve(const Scope& scope, const PageNode& node, std::size_t slot) const {
    std::set<Place> visited;
    Place place{&scope, &node, slot, Place::Side::input, {}};
    while (visited.insert(place).second) {
        if (++hops_ > most_hops)
            throw Error{ErrorKind::smoke, "the links of the workflow go through too many nodes"};
        Step step =
            place.side == Place::Side::input ? step_from_input(place) : step_from_output(place);
        if (auto* next = std::get_if<Place>(&step)) {
            place = std::move(*next);
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

Resolver::Step Resolver::step_from_input(const Place& place) const {
    if (place.slot >= place.node->inputs.size()) return {};
    const auto& input = place.node->inputs[place.slot];
    const auto* link = place.scope->graph->link(input.link);
    if (!link) return {};
    if (link->origin == subgraph_inputs && place.scope->instance)
        return step_to_outer_input(*place.scope, link->origin_slot);
    const auto* origin = place.scope->graph->node(link->origin);
    if (!origin) return {};
    return Place{place.scope, origin, link->origin_slot, Place::Side::output,
                 place.type.empty() ? input.type : place.type};
}

// From a subgraph's own input to that of the node which stands for it.
Resolver::Step Resolver::step_to_outer_input(const Scope& scope, std::size_t slot) const {
    if (slot >= scope.instance->inputs.size()) return {};
    const auto& outer = scope.instance->inputs[slot];
    if (!outer.link.empty())
        return Place{scope.outer, scope.instance, slot, Place::Side::input, {}};
    if (!outer.is_promoted) return {};
    return outer.promoted;
}

Resolver::Step Resolver::step_from_output(const Place& place) const {
    const auto& node = *place.node;
    // The page of 2025 goes on through it, and takes a link to it away afterwards.
    if (node.mode == PageNode::Mode::muted && page_.table.is_recent) return {};
    if (node.mode == PageNode::Mode::bypassed) {
        const auto input = bypass_input(node, place.slot, place.type);
        if (!input) return {};
        return Place{place.scope, &node, *input, Place::Side::input, {}};
    }
    if (const auto inner = place.scope->inner.find(&node); inner != place.scope->inner.end())
        return step_into_subgraph(*inner->second, place);
    if (node.is_virtual) return step_through_virtual(place);
    return Source{place.scope->prefix + node.id, place.slot};
}

Resolver::Step Resolver::step_into_subgraph(const Scope& scope, const Place& place) const {
    if (place.slot >= scope.graph->outputs.size()) return {};
    const auto& links = scope.graph->outputs[place.slot].links;
    const auto* link = links.empty() ? nullptr : scope.graph->link(links.front());
    if (!link) return {};
    if (link->origin == subgraph_inputs) return step_to_outer_input(scope, link->origin_slot);
    const auto* origin = scope.graph->node(link->origin);
    if (!origin) return {};
    return Place{&scope, origin, link->origin_slot, Place::Side::output, place.type};
}

// A reroute leads to its input. KJNodes' SetNode and GetNode are links without a line, by name.
Resolver::Step Resolver::step_through_virtual(const Place& place) const {
    const auto& node = *place.node;
    if (node.type == "PrimitiveNode") return {};
    if (node.type != "GetNode")
        return Place{place.scope, &node, place.slot, Place::Side::input, place.type};
    const auto name = first_value(node);
    for (const Scope* scope = place.scope; scope; scope = scope->outer) {
        const auto found = scope->setters.find(name);
        if (found != scope->setters.end())
            return Place{scope, found->second, 0, Place::Side::input, place.type};
    }
    return {};
}

}  // namespace podctl::workflow

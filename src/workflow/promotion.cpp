#include "page.hpp"
#include "widget_types.hpp"

#include <algorithm>
#include <optional>
#include <set>

// Widgets inside a subgraph that its node shows: SubgraphNode.ts of litegraph, and
// src/core/graph/subgraph/migration/proxyWidgetMigration.ts of ComfyUI_frontend.
namespace podctl::workflow {
namespace {

// What a look at an input costs, in bytes.
constexpr std::size_t look = 64;

struct Target {
    PageNode* node;
    Slot* slot;
};

// The input inside that a link of the subgraph's boundary leads to.
std::optional<Target> target_of(const PageGraph& subgraph, const std::string& id) {
    subgraph.budget.spend(look);
    const auto* link = subgraph.link(id);
    auto* node = link ? subgraph.node(link->target) : nullptr;
    if (!node) return std::nullopt;
    const auto slot = std::ranges::find(node->inputs, id, &Slot::link);
    if (slot == node->inputs.end()) return std::nullopt;
    return Target{node, &*slot};
}

// The value of the widget beside an input; undefined: it has none. Of a subgraph's node it is the
// one that the node shows.
std::optional<json> value_beside(const PageNode& node, const Slot& slot) {
    if (node.subgraph) return slot.is_promoted ? std::optional{slot.promoted} : std::nullopt;
    const auto* widget = node.widget_of(slot);
    return widget ? std::optional{value_of(node, *widget)} : std::nullopt;
}

void promote(Slot& slot, const std::string& name, const json& value) {
    slot.widget = name;
    if (!slot.is_promoted) slot.promoted = value;
    slot.is_promoted = true;
}

struct Proxy {
    std::string node, widget, other;
    json value = undefined();  // undefined: none was saved
};

enum class Plan { none, linked, create, bypass_primitive, set_by_name };

struct Pending {
    Proxy proxy;
    Plan plan = Plan::none;
    std::string input = {};  // that is linked already
};

std::vector<Proxy> read_proxies(const PageNode& instance) {
    std::vector<Proxy> proxies;
    const auto& values = list_at(*instance.raw, "widgets_values");
    for (const auto& entry : list_at(instance.properties(), "proxyWidgets")) {
        if (!entry.is_array() || entry.size() < 2 || !entry[0].is_string() || !entry[1].is_string())
            return {};
        Proxy proxy{.node = entry[0], .widget = entry[1], .other = {}};
        if (entry.size() > 2 && entry[2].is_string()) proxy.other = entry[2];
        const auto index = proxies.size();
        if (index < values.size() && !values[index].is_null()) proxy.value = values[index];
        proxies.push_back(std::move(proxy));
    }
    return proxies;
}

// What a node of a subgraph within shows under a name: the input, by its own name or by that of the
// widget that it leads to.
std::optional<std::pair<std::string, std::string>> source_of(const PageNode& instance,
                                                             const Boundary& boundary) {
    for (const auto& id : boundary.links) {
        const auto target = target_of(*instance.subgraph, id);
        if (!target) continue;
        if (target->node->subgraph) return std::pair{target->node->id, target->slot->name};
        if (const auto* widget = target->node->widget_of(*target->slot))
            return std::pair{target->node->id, widget->name};
    }
    return std::nullopt;
}

bool resolves(const PageNode& host, std::string node_id, std::string name) {
    constexpr int most = 100;
    const auto* current = &host;
    for (int depth = 0; depth < most; ++depth) {
        const auto* source = current->subgraph->node(node_id);
        if (!source) return false;
        if (!source->subgraph) return source->widget(name) != nullptr;
        const auto boundary = std::ranges::find(source->subgraph->inputs, name, &Boundary::name);
        if (boundary == source->subgraph->inputs.end()) return false;
        const auto next = source_of(*source, *boundary);
        if (!next) return false;
        current = source;
        node_id = next->first;
        name = next->second;
    }
    return false;
}

// "12: seed" is what an older page called the widget "seed" of node 12 within.
void strip_prefixes(const PageNode& host, Proxy& proxy) {
    if (resolves(host, proxy.node, proxy.widget)) return;
    for (;;) {
        const auto start = proxy.widget.find_first_not_of(" \t\r\n");
        if (start == std::string::npos) return;
        const auto end = proxy.widget.find_first_not_of("0123456789", start);
        if (end == start || end == std::string::npos) return;
        const auto colon = proxy.widget.find_first_not_of(" \t\r\n", end);
        if (colon == std::string::npos || proxy.widget[colon] != ':') return;
        const auto rest = proxy.widget.find_first_not_of(" \t\r\n", colon + 1);
        if (rest == std::string::npos) return;
        proxy.other = proxy.widget.substr(start, end - start);
        proxy.widget = proxy.widget.substr(rest);
    }
}

Slot* linked_input(PageNode& host, const Proxy& proxy) {
    auto& subgraph = *host.subgraph;
    for (std::size_t i = 0; i < subgraph.inputs.size() && i < host.inputs.size(); ++i) {
        subgraph.budget.spend(look);
        const auto source = source_of(host, subgraph.inputs[i]);
        if (source && source->first == proxy.node && source->second == proxy.widget)
            return &host.inputs[i];
    }
    return nullptr;
}

// The input of a node inside that has the widget.
Slot* slot_of(PageNode& source, const Proxy& proxy) {
    if (!source.subgraph) {
        const auto* widget = source.widget(proxy.widget);
        if (!widget) return nullptr;
        const auto slot = std::ranges::find(source.inputs, widget->name, &Slot::widget);
        return slot == source.inputs.end() ? nullptr : &*slot;
    }
    for (std::size_t i = 0; i < source.subgraph->inputs.size() && i < source.inputs.size(); ++i) {
        source.subgraph->budget.spend(look);
        auto& slot = source.inputs[i];
        const auto inner = source_of(source, source.subgraph->inputs[i]);
        const bool is_it =
            proxy.other.empty()
                ? slot.name == proxy.widget || (inner && inner->second == proxy.widget)
                : inner && inner->first == proxy.other && inner->second == proxy.widget;
        if (is_it && slot.is_promoted) return &slot;
    }
    return nullptr;
}

Pending classify(PageNode& host, Proxy proxy, const std::vector<Proxy>& all) {
    Pending pending{.proxy = std::move(proxy)};
    const auto& it = pending.proxy;
    if (const auto* input = linked_input(host, it)) {
        pending.plan = Plan::linked;
        pending.input = input->name;
        return pending;
    }
    auto* source = host.subgraph->node(it.node);
    if (!source) {
        if (it.node == "-1") pending.plan = Plan::set_by_name;
        return pending;
    }
    if (source->type == "PrimitiveNode") {
        const auto same = std::ranges::count(all, it.node, &Proxy::node);
        const bool is_linked = !source->output_links.empty() && !source->output_links[0].empty();
        if (is_linked || same >= 2) pending.plan = Plan::bypass_primitive;
        return pending;
    }
    if (!it.widget.starts_with("$$") && slot_of(*source, it)) pending.plan = Plan::create;
    return pending;
}

std::size_t add_boundary(PageGraph& subgraph, const std::string& wish, const std::string& type) {
    std::string name = wish;
    for (int i = 1;
         std::ranges::find(subgraph.inputs, name, &Boundary::name) != subgraph.inputs.end(); ++i)
        name = wish + "_" + std::to_string(i);
    subgraph.budget.spend(look * (subgraph.inputs.size() + subgraph.instances.size()));
    subgraph.inputs.push_back({.name = name, .type = type});
    for (auto* instance : subgraph.instances)
        instance->inputs.push_back({.name = name, .type = type});
    return subgraph.inputs.size() - 1;
}

// SubgraphInput.connect(): all nodes of the subgraph's type show the widget from now on.
void connect_boundary(PageGraph& subgraph, std::size_t index, PageNode& target, Slot& slot) {
    auto& boundary = subgraph.inputs[index];
    if (const auto value = value_beside(target, slot))
        for (auto* instance : subgraph.instances) {
            subgraph.budget.spend(*value);
            promote(instance->inputs[index], boundary.name, *value);
        }
    const auto id = "migrated-" + std::to_string(subgraph.links.size());
    const auto at = static_cast<std::size_t>(&slot - target.inputs.data());
    subgraph.links[id] = {.origin = std::string(subgraph_inputs),
                          .target = target.id,
                          .origin_slot = index,
                          .target_slot = at};
    slot.link = id;
    boundary.links.push_back(id);
}

void create_input(PageNode& host, const Proxy& proxy) {
    auto* source = host.subgraph->node(proxy.node);
    auto* slot = source ? slot_of(*source, proxy) : nullptr;
    if (!slot) return;
    const auto index = add_boundary(*host.subgraph, proxy.widget, slot->type);
    connect_boundary(*host.subgraph, index, *source, *slot);
    if (!proxy.value.is_discarded() && host.inputs[index].is_promoted)
        host.inputs[index].promoted = proxy.value;
}

// The page goes by the places that the links were saved with, which need not be those that the
// inputs have now. Empty: one of them is of another type, or is not there.
std::vector<Target> targets_by_place(const PageGraph& subgraph,
                                     const std::vector<std::string>& links,
                                     const std::string& type) {
    std::vector<Target> targets;
    for (const auto& id : links) {
        const auto* link = subgraph.link(id);
        auto* node = link ? subgraph.node(link->target) : nullptr;
        if (!node || link->target_slot >= node->inputs.size()) return {};
        auto& slot = node->inputs[link->target_slot];
        if (slot.type != type && slot.type != "*" && type != "*") return {};
        targets.push_back({node, &slot});
    }
    return targets;
}

// The subgraph's own input takes the place of a primitive inside.
void bypass_primitive(PageNode& host, const std::vector<Pending>& all, const std::string& id) {
    auto& subgraph = *host.subgraph;
    auto* primitive = subgraph.node(id);
    if (!primitive || primitive->output_links.empty()) return;
    const auto type = primitive->output_types.empty() ? "*" : primitive->output_types[0];
    const auto targets = targets_by_place(subgraph, primitive->output_links[0], type);
    if (targets.empty()) return;
    std::string name;
    json value = undefined();
    for (const auto& pending : all) {
        if (pending.plan != Plan::bypass_primitive || pending.proxy.node != id) continue;
        if (!name.empty() && name != pending.proxy.widget) return;
        name = pending.proxy.widget;
        if (value.is_discarded()) value = pending.proxy.value;
    }
    const auto wish = primitive->title == "PrimitiveNode" ? name : primitive->title;
    const auto index = add_boundary(subgraph, wish, type);
    for (const auto& target : targets)
        connect_boundary(subgraph, index, *target.node, *target.slot);
    primitive->output_links[0].clear();
    if (!value.is_discarded() && host.inputs[index].is_promoted)
        host.inputs[index].promoted = value;
}

void set_by_name(PageNode& host, const std::string& name, const json& value) {
    auto* slot = host.input(name);
    if (slot && slot->is_promoted && !value.is_discarded()) slot->promoted = value;
}

}  // namespace

void find_promoted(PageNode& instance) {
    auto& subgraph = *instance.subgraph;
    for (std::size_t i = 0; i < subgraph.inputs.size() && i < instance.inputs.size(); ++i)
        for (const auto& id : subgraph.inputs[i].links) {
            const auto target = target_of(subgraph, id);
            const auto value = target ? value_beside(*target->node, *target->slot) : std::nullopt;
            if (!value) continue;
            subgraph.budget.spend(*value);
            promote(instance.inputs[i], subgraph.inputs[i].name, *value);
            break;
        }
}

void migrate_promoted(PageNode& instance) {
    auto proxies = read_proxies(instance);
    for (auto& proxy : proxies)
        strip_prefixes(instance, proxy);
    std::vector<Pending> all;
    for (const auto& proxy : proxies)
        all.push_back(classify(instance, proxy, proxies));
    std::set<std::string> primitives;
    for (const auto& pending : all) {
        if (pending.plan == Plan::linked) set_by_name(instance, pending.input, pending.proxy.value);
        if (pending.plan == Plan::create) create_input(instance, pending.proxy);
        if (pending.plan == Plan::bypass_primitive) primitives.insert(pending.proxy.node);
    }
    for (const auto& id : primitives)
        bypass_primitive(instance, all, id);
    for (const auto& pending : all)
        if (pending.plan == Plan::set_by_name)
            set_by_name(instance, pending.proxy.widget, pending.proxy.value);
}

}  // namespace podctl::workflow

#include "page.hpp"

#include "podctl/base/error.hpp"

#include "group_nodes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <set>

namespace podctl::workflow {
namespace {

// More is no graph that a person made.
constexpr std::size_t most_definitions = 5'000;
// LiteGraph's MAX_NODE_ID: a page finds no free id beyond it.
constexpr std::int64_t largest_id = 100'000'000;

std::optional<std::int64_t> number_of(const json& id) {
    const auto text = id_text(id);
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return number;
}

// Node ids that are unique over all subgraphs: deduplicateSubgraphNodeIds() of litegraph's
// src/subgraph/subgraphDeduplication.ts, which pages have since 2026.
class UniqueIds {
public:
    explicit UniqueIds(json& workflow) : workflow_(workflow) {
        for (const auto& node : list_at(workflow, "nodes")) {
            const auto* id = member(node, "id");
            if (id && id->is_number_integer()) use(*id);
        }
        const auto& state = object_at(workflow, "state");
        for (const auto* last : {member(workflow, "last_node_id"), member(state, "lastNodeId")})
            if (last)
                if (const auto number = number_of(*last)) go_to(*number);
    }

    void make() {
        const auto definitions = workflow_.find("definitions");
        if (definitions == workflow_.end() || !definitions->is_object()) return;
        const auto subgraphs = definitions->find("subgraphs");
        if (subgraphs == definitions->end() || !subgraphs->is_array()) return;
        for (auto& subgraph : *subgraphs)
            if (subgraph.is_object()) rename(subgraph);
        for (auto& subgraph : *subgraphs)
            if (subgraph.is_object()) patch_proxies(subgraph);
        patch_proxies(workflow_);
    }

private:
    using Renamed = std::map<std::string, std::int64_t>;

    void use(const json& id) {
        used_.insert(id_text(id));
        if (const auto number = number_of(id)) go_to(*number);
    }
    void go_to(std::int64_t number) { last_ = std::max(last_, std::min(number, largest_id)); }
    void rename(json& subgraph) {
        Renamed renamed;
        const auto nodes = subgraph.find("nodes");
        if (nodes == subgraph.end() || !nodes->is_array()) return;
        for (auto& node : *nodes) {
            if (!node.is_object() || !node.contains("id")) continue;
            const auto id = id_text(node["id"]);
            if (!used_.contains(id)) {
                use(node["id"]);
                continue;
            }
            do
                if (++last_ > largest_id)
                    throw Error{ErrorKind::smoke, "the workflow leaves no id for a node"};
            while (used_.contains(std::to_string(last_)));
            renamed[id] = last_;
            node["id"] = last_;
            used_.insert(std::to_string(last_));
        }
        if (renamed.empty()) return;
        const auto links = subgraph.find("links");
        if (links != subgraph.end() && links->is_array())
            for (auto& link : *links)
                patch_link(link, renamed);
        renamed_[id_at(subgraph, "id")] = std::move(renamed);
    }
    static void patch_link(json& link, const Renamed& renamed) {
        const auto patch = [&](json& id) {
            const auto found = renamed.find(id_text(id));
            if (found != renamed.end()) id = found->second;
        };
        if (!link.is_object()) return;
        for (const char* end : {"origin_id", "target_id"})
            if (link.contains(end)) patch(link[end]);
    }
    void patch_proxies(json& graph) const {
        const auto nodes = graph.find("nodes");
        if (nodes == graph.end() || !nodes->is_array()) return;
        for (auto& node : *nodes) {
            const auto renamed = renamed_.find(text_at(node, "type"));
            if (renamed == renamed_.end()) continue;
            if (!object_at(node, "properties").contains("proxyWidgets")) continue;
            auto& proxies = node["properties"]["proxyWidgets"];
            if (!proxies.is_array()) continue;
            for (auto& proxy : proxies) {
                if (!proxy.is_array() || proxy.empty()) continue;
                const auto found = renamed->second.find(id_text(proxy[0]));
                if (found != renamed->second.end()) proxy[0] = std::to_string(found->second);
            }
        }
    }

    json& workflow_;
    std::set<std::string> used_ = {};
    std::int64_t last_ = 0;
    std::map<std::string, Renamed> renamed_ = {};
};

Boundary read_boundary(const json& raw) {
    Boundary read{.name = text_at(raw, "name")};
    if (const auto* type = member(raw, "type"); type && !type->is_null())
        read.type = plain_text(*type);
    for (const auto& link : list_at(raw, "linkIds"))
        read.links.push_back(id_text(link));
    return read;
}

// [id, origin, origin's slot, target, target's slot, type], or an object with these names.
void read_link(const json& raw, PageGraph& into) {
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
    into.links[id] = {.origin = id_text(fields[1]),
                      .target = id_text(fields[3]),
                      .origin_slot = *origin_slot,
                      .target_slot = *target_slot};
}

// The links of a boundary that does not name them, or names some that are not there.
void repair_boundaries(PageGraph& graph) {
    const auto surviving = [&](std::string_view side, std::size_t slot) {
        std::vector<std::string> found;
        for (const auto& [id, link] : graph.links)
            if ((link.origin == side && link.origin_slot == slot) ||
                (link.target == side && link.target_slot == slot))
                found.push_back(id);
        return found;
    };
    for (const auto& [side, slots] :
         {std::pair{subgraph_inputs, &graph.inputs}, std::pair{subgraph_outputs, &graph.outputs}}) {
        for (std::size_t i = 0; i < slots->size(); ++i) {
            auto& links = (*slots)[i].links;
            std::erase_if(links, [&](const std::string& id) { return !graph.link(id); });
            if (links.empty()) links = surviving(side, i);
        }
    }
}

void read_graph(const json& raw, PageGraph& into) {
    into.id = id_at(raw, "id");
    into.name = text_at(raw, "name");
    for (const auto& link : list_at(raw, "links"))
        read_link(link, into);
    for (const auto& input : list_at(raw, "inputs"))
        into.inputs.push_back(read_boundary(input));
    for (const auto& output : list_at(raw, "outputs"))
        into.outputs.push_back(read_boundary(output));
    repair_boundaries(into);
}

// Definitions stand in the main graph, or within each other.
void collect_definitions(const json& raw, Page& page) {
    for (const auto& definition : list_at(object_at(raw, "definitions"), "subgraphs")) {
        collect_definitions(definition, page);
        const auto id = id_at(definition, "id");
        if (id.empty()) continue;
        if (page.definitions.size() > most_definitions)
            throw Error{ErrorKind::smoke,
                        fmt::format("the workflow has more than {} subgraphs", most_definitions)};
        page.definitions[id] = &definition;
        page.order.push_back(id);
        auto graph = std::make_unique<PageGraph>();
        read_graph(definition, *graph);
        page.subgraphs[id] = std::move(graph);
    }
}

// topologicalSortSubgraphs(): a definition after those that its nodes stand for.
std::vector<std::string> inner_first(Page& page) {
    std::map<std::string, std::set<std::string>> dependents;
    std::map<std::string, std::size_t> waits_for;
    std::vector<std::string> names;
    for (const auto& id : page.order)
        if (std::ranges::find(names, id) == names.end()) names.push_back(id);
    for (const auto& id : names)
        for (const auto& node : list_at(*page.definitions.at(id), "nodes")) {
            const auto type = text_at(node, "type");
            if (!page.definitions.contains(type)) continue;
            if (dependents[type].insert(id).second) ++waits_for[id];
        }
    std::deque<std::string> ready;
    for (const auto& id : names)
        if (waits_for[id] == 0) ready.push_back(id);
    std::vector<std::string> sorted;
    while (!ready.empty()) {
        const auto id = ready.front();
        ready.pop_front();
        sorted.push_back(id);
        for (const auto& dependent : dependents[id])
            if (--waits_for[dependent] == 0) ready.push_back(dependent);
    }
    page.is_cyclic = sorted.size() != names.size();
    return page.is_cyclic ? names : sorted;
}

}  // namespace

std::unique_ptr<Page> load_page(const json& workflow, const ClassTable& table,
                                std::chrono::system_clock::time_point now) {
    auto page = std::make_unique<Page>(table);
    page->saved = workflow;
    page->now = now;
    if (table.is_recent) UniqueIds{page->saved}.make();
    unfold_group_nodes(page->saved, table);
    collect_definitions(page->saved, *page);
    page->order = inner_first(*page);
    read_graph(page->saved, page->root);
    for (const auto& id : page->order)
        configure_graph(*page, *page->subgraphs.at(id), *page->definitions.at(id));
    configure_graph(*page, page->root, page->saved);
    finish_loading(*page);
    return page;
}

bool is_page_only(std::string_view type) {
    // ComfyUI's own, then those of rgthree-comfy and ComfyUI-KJNodes, which many workflows have.
    static constexpr std::array<std::string_view, 19> types = {"Note",
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
                                                               "Node Combiner (rgthree)",
                                                               "Mute / Bypass Repeater (rgthree)",
                                                               "Mute / Bypass Relay (rgthree)",
                                                               "Random Unmuter (rgthree)",
                                                               "SetNode",
                                                               "GetNode"};
    return std::ranges::find(types, type) != types.end();
}

bool is_group_node(std::string_view type) {
    return type.starts_with("workflow>") || type.starts_with("workflow/");
}

}  // namespace podctl::workflow

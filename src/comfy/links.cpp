#include "links.hpp"

#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace podctl::comfy {
namespace {

bool is_link(const json& value) {
    return value.is_array() && value.size() == 2 && value[0].is_string() &&
           value[1].is_number_integer();
}

using Edges = std::map<std::string, std::set<std::string>>;

// Takes away what has no edge to another node that is left, until there is no such node.
void take_away_ends(std::set<std::string>& nodes, const Edges& edges, const Edges& reversed) {
    std::map<std::string, std::size_t> count;
    std::vector<std::string> ends;
    for (const auto& node : nodes) {
        const auto found = edges.find(node);
        if (found != edges.end())
            for (const auto& next : found->second)
                count[node] += nodes.contains(next) ? 1 : 0;
        if (count[node] == 0) ends.push_back(node);
    }
    while (!ends.empty()) {
        const auto node = ends.back();
        ends.pop_back();
        nodes.erase(node);
        const auto found = reversed.find(node);
        if (found == reversed.end()) continue;
        for (const auto& before : found->second)
            if (nodes.contains(before) && --count[before] == 0) ends.push_back(before);
    }
}

}  // namespace

Faults broken_links(const json& prompt) {
    Faults faults;
    Edges sources, consumers;
    std::set<std::string> nodes;
    for (const auto& [id, node] : prompt.items()) {
        nodes.insert(id);
        for (const auto& [name, value] : object_at(node, "inputs").items()) {
            if (!is_link(value)) continue;
            const auto source = value[0].get<std::string>();
            if (!prompt.contains(source))
                faults.push_back({.node = id,
                                  .class_type = text_at(node, "class_type"),
                                  .input = name,
                                  .message = fmt::format("it is linked to node {}, which the "
                                                         "workflow does not have",
                                                         source)});
            sources[id].insert(source);
            consumers[source].insert(id);
        }
    }
    take_away_ends(nodes, sources, consumers);
    take_away_ends(nodes, consumers, sources);
    if (!nodes.empty())
        faults.push_back(
            {.node = *nodes.begin(),
             .class_type = text_at(object_at(prompt, *nodes.begin()), "class_type"),
             .message = fmt::format("the links go in a circle: nodes {}", fmt::join(nodes, ", "))});
    return faults;
}

}  // namespace podctl::comfy

#include "group_nodes.hpp"

#include "podctl/base/error.hpp"

#include "dynamic_inputs.hpp"
#include "page.hpp"
#include "widget_types.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

// From ComfyUI_frontend: src/extensions/core/groupNode.ts. The ids are those of pages until 2025,
// "12:0" for the first node of group 12; later pages make a subgraph with new ids of it.
namespace podctl::workflow {
namespace {

struct InnerLink {
    std::size_t source, source_slot, target, target_slot;
    std::string type;
};

// An input of the group: of which node inside, and under which name there.
struct GroupInput {
    std::string name, inner_name, type;
    std::size_t node;
};

class Group {
public:
    Group(const json& data, const ClassTable& table) : data_(data), table_(table) {
        for (const auto& link : list_at(data, "links"))
            read_link(link);
        for (const auto& external : list_at(data, "external")) {
            if (!external.is_array() || external.size() < 3 || external[2].is_null()) continue;
            const auto node = index_of(external[0]), slot = index_of(external[1]);
            if (node && slot) shown_.insert({*node, *slot});
        }
        const auto& nodes = list_at(data, "nodes");
        for (std::size_t i = 0; i < nodes.size(); ++i)
            read_node(nodes[i], i);
        for (std::size_t i = 0; i < nodes.size(); ++i)
            read_converted(nodes[i], i);
    }

    bool is_known() const {
        return std::ranges::all_of(list_at(data_, "nodes"), [&](const json& node) {
            const auto type = text_at(node, "type");
            return table_.find(type) || is_page_only(type);
        });
    }

    json definition(const json& instance, const std::string& id) const {
        Drawn drawn{.nodes = list_at(data_, "nodes")};
        for (std::size_t i = 0; i < drawn.nodes.size(); ++i)
            prepare(drawn.nodes[i], i);
        draw_inner_links(drawn);
        json inputs = json::array(), outputs = json::array();
        for (const auto& input : sockets_) {
            auto& slots = drawn.nodes[input.node]["inputs"];
            const auto slot = slot_named(slots, input);
            const auto number = drawn.add_link(-10, inputs.size(), input.node, slot);
            slots[slot]["link"] = number;
            inputs.push_back({{"name", input.name}, {"type", input.type}, {"linkIds", {number}}});
        }
        for (const auto& output : outputs_) {
            const auto number = drawn.add_link(output.node, output.slot, -20, outputs.size());
            outputs.push_back(
                {{"name", output.type}, {"type", output.type}, {"linkIds", {number}}});
        }
        give_values(instance, drawn.nodes);
        return {{"id", id},
                {"name", text_at(instance, "type").substr(9)},
                {"nodes", std::move(drawn.nodes)},
                {"links", std::move(drawn.links)},
                {"inputs", std::move(inputs)},
                {"outputs", std::move(outputs)}};
    }

private:
    struct GroupOutput {
        std::size_t node, slot;
        std::string type;
    };

    // The nodes inside and their links, as a subgraph has them.
    struct Drawn {
        json nodes, links = json::array();

        std::size_t add_link(const json& origin, std::size_t origin_slot, const json& target,
                             std::size_t target_slot) {
            const auto number = links.size() + 1;
            links.push_back({{"id", number},
                             {"origin_id", origin},
                             {"origin_slot", origin_slot},
                             {"target_id", target},
                             {"target_slot", target_slot}});
            return number;
        }
    };

    void draw_inner_links(Drawn& drawn) const {
        constexpr std::size_t most_outputs = 1'000;
        for (const auto& link : links_) {
            if (link.source >= drawn.nodes.size() || link.target >= drawn.nodes.size()) continue;
            auto& inputs = drawn.nodes[link.target]["inputs"];
            auto& outputs = drawn.nodes[link.source]["outputs"];
            if (link.target_slot >= inputs.size() || link.source_slot >= most_outputs) continue;
            const auto number =
                drawn.add_link(link.source, link.source_slot, link.target, link.target_slot);
            inputs[link.target_slot]["link"] = number;
            while (outputs.size() <= link.source_slot)
                outputs.push_back({{"links", json::array()}});
            outputs[link.source_slot]["links"].push_back(number);
        }
    }

    void read_link(const json& raw) {
        if (!raw.is_array() || raw.size() < 4) return;
        const auto source = index_of(raw[0]), source_slot = index_of(raw[1]),
                   target = index_of(raw[2]), target_slot = index_of(raw[3]);
        if (!source || !source_slot || !target || !target_slot) return;
        links_.push_back({*source, *source_slot, *target, *target_slot,
                          raw.size() > 5 && raw[5].is_string() ? plain_text(raw[5]) : ""});
    }

    bool is_fed(std::size_t node, std::size_t slot) const {
        return std::ranges::any_of(links_, [&](const InnerLink& link) {
            return link.target == node && link.target_slot == slot;
        });
    }
    bool feeds(std::size_t node, std::size_t slot) const {
        return std::ranges::any_of(links_, [&](const InnerLink& link) {
            return link.source == node && link.source_slot == slot;
        });
    }

    // A link's name among those that came before: getInputConfig().
    std::string name_of(const json& node, std::size_t index, const std::string& input) {
        const auto& config = object_at(
            object_at(object_at(object_at(data_, "config"), std::to_string(index)), "input"),
            input);
        std::string name = text_at(config, "name");
        for (const auto& slot : list_at(node, "inputs"))
            if (name.empty() && text_at(slot, "name") == input) name = text_at(slot, "label");
        if (name.empty()) name = input;
        std::string key = name;
        const auto title = text_at(node, "title");
        const auto type = text_at(node, "type");
        if ((type == "PrimitiveNode" && !title.empty()) || seen_.contains(name)) {
            const auto prefix = (title.empty() ? type : title) + " ";
            key = name = prefix + input;
            if (seen_.contains(name)) name = prefix + std::to_string(seen_[name]) + " " + input;
        }
        auto& count = seen_.try_emplace(key, 1).first->second;
        ++count;
        return name;
    }

    bool is_hidden(std::size_t index, const std::string& side, const std::string& name) const {
        const auto& config = object_at(
            object_at(object_at(object_at(data_, "config"), std::to_string(index)), side), name);
        const auto* visible = member(config, "visible");
        return visible && *visible == false;
    }

    static bool is_converted(const json& node, const std::string& input) {
        return std::ranges::any_of(list_at(node, "inputs"), [&](const json& slot) {
            const auto* widget = member(slot, "widget");
            return text_at(slot, "name") == input && widget && text_at(*widget, "name") == input;
        });
    }

    void read_node(const json& node, std::size_t index) {
        const auto type = text_at(node, "type");
        const auto* known = table_.find(type);
        if (!known) {
            if (type == "Reroute") read_reroute(node, index);
            if (type == "PrimitiveNode" && feeds(index, 0))
                widgets_.push_back({name_of(node, index, "value"), "value", "", index});
            return;
        }
        std::vector<const InputSpec*> sockets;
        for (const auto& spec : known->inputs) {
            if (!is_widget(spec, table_)) {
                sockets.push_back(&spec);
                continue;
            }
            if (is_converted(node, spec.name)) continue;
            widgets_.push_back({name_of(node, index, spec.name), spec.name, spec.type, index});
        }
        for (std::size_t i = 0; i < sockets.size(); ++i) {
            if (is_fed(index, i)) continue;
            const auto name = name_of(node, index, sockets[i]->name);
            if (!is_hidden(index, "input", sockets[i]->name))
                sockets_.push_back({name, sockets[i]->name, sockets[i]->type, index});
        }
        for (std::size_t i = 0; i < known->output_types.size(); ++i)
            read_output(index, i, known->output_types[i]);
    }

    void read_output(std::size_t index, std::size_t slot, const std::string& type) {
        const auto& config = object_at(
            object_at(object_at(object_at(data_, "config"), std::to_string(index)), "output"),
            std::to_string(slot));
        const auto* visible = member(config, "visible");
        const bool is_inner = feeds(index, slot) && !shown_.contains({index, slot});
        if (visible ? *visible == true : !is_inner) outputs_.push_back({index, slot, type});
    }

    // One that leads out of the group, or into it.
    void read_reroute(const json& node, std::size_t index) {
        const bool is_inner = is_fed(index, 0) && feeds(index, 0) && !shown_.contains({index, 0});
        if (is_inner) return;
        std::string type = "*";
        for (const auto& link : links_)
            if ((link.source == index || link.target == index) && !link.type.empty())
                type = link.type;
        if (!is_fed(index, 0)) {
            const auto& inputs = list_at(node, "inputs");
            const auto name = inputs.empty() ? std::string() : text_at(inputs[0], "name");
            sockets_.push_back({name_of(node, index, type), name, type, index});
        }
        read_output(index, 0, type);
    }

    // Widgets that were made inputs come behind all others.
    void read_converted(const json& node, std::size_t index) {
        const auto* known = table_.find(text_at(node, "type"));
        if (!known) return;
        const auto& inputs = list_at(node, "inputs");
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            const auto name = text_at(inputs[i], "name");
            const auto spec = std::ranges::find(known->inputs, name, &InputSpec::name);
            if (spec == known->inputs.end() || !is_widget(*spec, table_)) continue;
            if (!is_converted(node, name) || is_fed(index, i)) continue;
            const auto shown = name_of(node, index, name);
            sockets_.push_back({shown, name, spec->type, index});
            widgets_.push_back({shown, name, spec->type, index});
        }
    }

    static void prepare(json& node, std::size_t index) {
        if (!node.is_object()) node = json::object();
        node["id"] = index;
        for (const char* side : {"inputs", "outputs"})
            if (!node.contains(side) || !node[side].is_array()) node[side] = json::array();
        for (auto& slot : node["inputs"]) {
            if (!slot.is_object()) slot = json::object();
            slot["link"] = nullptr;
        }
        for (auto& slot : node["outputs"]) {
            if (!slot.is_object()) slot = json::object();
            slot["links"] = json::array();
        }
    }

    static std::size_t slot_named(json& inputs, const GroupInput& input) {
        for (std::size_t i = 0; i < inputs.size(); ++i)
            if (text_at(inputs[i], "name") == input.inner_name) return i;
        inputs.push_back({{"name", input.inner_name}, {"type", input.type}});
        return inputs.size() - 1;
    }

    // The group's node has the widgets of all nodes inside, one after the other.
    void give_values(const json& instance, json& nodes) const {
        const auto& values = list_at(instance, "widgets_values");
        PageNode shown;
        std::size_t next = 0;
        for (const auto& input : widgets_) {
            const auto* known = table_.find(text_at(nodes[input.node], "type"));
            shown.widgets.clear();
            if (known) {
                const auto spec =
                    std::ranges::find(known->inputs, input.inner_name, &InputSpec::name);
                shown.type = known->name;
                add_widget(shown, input.inner_name, *spec);
            } else {
                shown.widgets.push_back(std::make_shared<Widget>());
            }
            for (const auto& widget : shown.widgets) {
                if (!widget->in_workflow) continue;
                if (next >= values.size()) return;
                if (widget == shown.widgets.front())
                    nodes[input.node][group_values][input.inner_name] = values[next];
                ++next;
            }
        }
    }

    const json& data_;
    const ClassTable& table_;
    std::vector<InnerLink> links_ = {};
    std::set<std::pair<std::size_t, std::size_t>> shown_ = {};
    std::map<std::string, int> seen_ = {};
    std::vector<GroupInput> sockets_ = {}, widgets_ = {};
    std::vector<GroupOutput> outputs_ = {};
};

}  // namespace

void unfold_group_nodes(json& workflow, const ClassTable& table) {
    const json groups = object_at(object_at(workflow, "extra"), "groupNodes");
    const auto nodes = workflow.find("nodes");
    if (groups.empty() || nodes == workflow.end() || !nodes->is_array()) return;
    // More is no group that a person made.
    constexpr std::size_t most_of_group = 1'000, most_of_all = 20'000;
    std::size_t total = 0;
    json made = json::array();
    for (auto& node : *nodes) {
        const auto type = text_at(node, "type");
        if (!is_group_node(type)) continue;
        const auto* data = member(groups, type.substr(9));
        if (!data) continue;
        const auto size = list_at(*data, "nodes").size();
        total += size;
        if (size > most_of_group || list_at(*data, "links").size() > 10 * most_of_group ||
            total > most_of_all)
            throw Error{ErrorKind::smoke,
                        fmt::format("node {} is a group of too many nodes", id_at(node, "id"))};
        const Group group{*data, table};
        if (!table.classes.empty() && !group.is_known()) continue;
        const auto id = "group of node " + id_at(node, "id");
        made.push_back(group.definition(node, id));
        node["type"] = id;
    }
    if (made.empty()) return;
    auto& definitions = workflow["definitions"];
    if (!definitions.is_object()) definitions = json::object();
    auto& subgraphs = definitions["subgraphs"];
    if (!subgraphs.is_array()) subgraphs = json::array();
    for (auto& definition : made)
        subgraphs.push_back(std::move(definition));
}

}  // namespace podctl::workflow

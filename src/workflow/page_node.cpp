#include "page_node.hpp"

#include "podctl/base/error.hpp"

#include <algorithm>

namespace podctl::workflow {

namespace {

std::size_t weight_of(const json& value) {
    constexpr std::size_t plain = 16;
    if (value.is_string()) return plain + value.get_ref<const std::string&>().size();
    std::size_t weight = plain;
    if (value.is_structured())
        for (const auto& inner : value)
            weight += weight_of(inner);
    return weight;
}

}  // namespace

void Budget::spend(std::size_t bytes) const {
    constexpr std::size_t most = 256u << 20;
    spent_ += std::min(bytes, most);
    if (spent_ > most)
        throw Error{ErrorKind::smoke, "the workflow repeats its values without measure",
                    "a subgraph shows too much at too many places"};
}

void Budget::spend(const json& value) const {
    spend(weight_of(value));
}

json undefined() {
    return json(json::value_t::discarded);
}

Widget* PageNode::widget(std::string_view name) const {
    for (const auto& it : widgets)
        if (it->name == name) return it.get();
    return nullptr;
}

Slot* PageNode::input(std::string_view name) {
    const auto found = std::ranges::find(inputs, name, &Slot::name);
    return found == inputs.end() ? nullptr : &*found;
}

Widget* PageNode::widget_of(const Slot& slot) const {
    return slot.widget.empty() ? nullptr : widget(slot.widget);
}

const json& PageNode::properties() const {
    static const json none = json::object();
    return raw ? object_at(*raw, "properties") : none;
}

PageNode* PageGraph::node(const std::string& wanted) const {
    const auto found = by_id.find(wanted);
    return found == by_id.end() ? nullptr : found->second;
}

const PageLink* PageGraph::link(const std::string& wanted) const {
    const auto found = links.find(wanted);
    return found == links.end() ? nullptr : &found->second;
}

}  // namespace podctl::workflow

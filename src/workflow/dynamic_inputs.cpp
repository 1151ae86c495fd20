#include "dynamic_inputs.hpp"

#include "podctl/base/error.hpp"

#include "widget_types.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

// From ComfyUI_frontend: src/core/graph/widgets/dynamicWidgets.ts, and addInputs() of
// src/services/litegraphService.ts.
namespace podctl::workflow {
namespace {

// Some ten are usual; what makes more is no class that somebody uses.
constexpr std::size_t most_widgets = 20'000;

void check_size(const PageNode& node) {
    if (node.inputs.size() > most_widgets || node.widgets.size() > most_widgets)
        throw Error{ErrorKind::smoke,
                    fmt::format("node {} has more than {} inputs", node.id, most_widgets)};
}

void add_dynamic(PageNode& node, const std::string& name, const InputSpec& spec,
                 const ClassTable& table);
void grow(PageNode& node, std::size_t ordinal, const std::string& group, const ClassTable& table);

void make_branch(PageNode& node, Widget& widget, const ClassTable& table);

void add_widget_input(PageNode& node, const std::string& name, const InputSpec& spec,
                      const ClassTable& table) {
    check_size(node);
    auto* widget = add_widget(node, name, spec);
    if (widget->kind == Widget::Kind::dynamic_combo) make_branch(node, *widget, table);
    node.inputs.push_back({.name = name, .type = spec.type, .widget = name});
}

void add_socket(PageNode& node, const std::string& name, const InputSpec& spec,
                const ClassTable& table) {
    check_size(node);
    if (is_widget(spec, table)) return;
    if (spec.autogrow) {
        node.autogrow[name] = spec.autogrow;
        for (std::size_t i = 0; i == 0 || i < spec.autogrow->min + 1; ++i) {
            if (i > spec.autogrow->max) break;
            grow(node, i, name, table);
        }
        return;
    }
    node.inputs.push_back({.name = name, .type = spec.type});
}

// addNodeInput()
void add_dynamic(PageNode& node, const std::string& name, const InputSpec& spec,
                 const ClassTable& table) {
    add_socket(node, name, spec, table);
    if (is_widget(spec, table)) add_widget_input(node, name, spec, table);
}

std::string grown_name(const Autogrow& autogrow, const std::string& group, std::ptrdiff_t ordinal,
                       const std::string& key) {
    const auto index = static_cast<std::size_t>(ordinal);
    if (!autogrow.names.empty())
        return group + "." +
               (ordinal >= 0 && index < autogrow.names.size() ? autogrow.names[index]
                                                              : "undefined");
    return fmt::format("{}.{}{}", group, autogrow.inputs.size() == 1 ? autogrow.prefix : key,
                       ordinal);
}

// Links remember the place of the input that they lead to; one that was moved has another.
void retarget(PageNode& node, std::ptrdiff_t from) {
    if (!node.graph) return;
    for (auto i = static_cast<std::size_t>(from); i < node.inputs.size(); ++i) {
        const auto link = node.graph->links.find(node.inputs[i].link);
        if (link != node.graph->links.end()) link->second.target_slot = i;
    }
}

// A widget that only shows a name, so that inputs which belong together stand together.
void add_shim(PageNode& node, Slot& slot) {
    if (!slot.widget.empty() && node.widget(slot.widget)) return;
    node.widgets.push_back(
        std::make_shared<Widget>(Widget{.name = slot.name, .in_workflow = false}));
    slot.widget = slot.name;
}

// addAutogrowGroup()
void grow(PageNode& node, std::size_t ordinal, const std::string& group, const ClassTable& table) {
    const auto autogrow = node.autogrow[group];
    if (ordinal >= autogrow->max || autogrow->inputs.empty()) return;
    const auto place = static_cast<std::ptrdiff_t>(ordinal);
    std::vector<Slot> grown;
    for (const auto& spec : autogrow->inputs) {
        add_dynamic(node, grown_name(*autogrow, group, place, spec.name), spec, table);
        if (node.inputs.empty()) continue;
        grown.push_back(std::move(node.inputs.back()));
        node.inputs.pop_back();
        if (autogrow->inputs.size() != 1) add_shim(node, grown.back());
    }
    for (auto& slot : grown) {
        const auto same = [&](const Slot& it) { return it.name == slot.name; };
        for (const auto& existing : node.inputs)
            if (same(existing) && slot.link.empty()) slot.link = existing.link;
        std::erase_if(node.inputs, same);
    }
    const auto before = grown_name(*autogrow, group, place - 1, autogrow->inputs.back().name);
    const auto last = std::find_if(node.inputs.rbegin(), node.inputs.rend(),
                                   [&](const Slot& it) { return it.name.starts_with(before); });
    node.inputs.insert(last == node.inputs.rend() ? node.inputs.end() : last.base(),
                       std::make_move_iterator(grown.begin()),
                       std::make_move_iterator(grown.end()));
}

// updateWidgets() of a dynamic combo.
void make_branch(PageNode& node, Widget& widget, const ClassTable& table) {
    const std::string prefix = widget.name + ".";
    std::vector<Slot> removed;
    for (const auto& slot : node.inputs)
        if (slot.name.starts_with(prefix)) removed.push_back(slot);
    std::erase_if(node.inputs, [&](const Slot& it) { return it.name.starts_with(prefix); });
    const auto* self = &widget;
    std::erase_if(node.widgets, [&](const std::shared_ptr<Widget>& it) {
        return it.get() != self && it->name.starts_with(prefix);
    });
    if (!is_truthy(widget.value)) return;
    const auto branch =
        std::ranges::find(widget.spec->branches, plain_text(widget.value), &Branch::key);
    if (branch == widget.spec->branches.end()) return;

    const auto position = std::ranges::find_if(
        node.widgets, [&](const std::shared_ptr<Widget>& it) { return it.get() == self; });
    const auto behind = position - node.widgets.begin() + 1;
    const auto widgets_before = static_cast<std::ptrdiff_t>(node.widgets.size());
    const auto inputs_before = static_cast<std::ptrdiff_t>(node.inputs.size());
    for (const auto& spec : branch->inputs)
        add_dynamic(node, prefix + spec.name, spec, table);
    std::rotate(node.widgets.begin() + behind, node.widgets.begin() + widgets_before,
                node.widgets.end());
    const auto own = std::ranges::find(node.inputs, widget.name, &Slot::name);
    if (own != node.inputs.end() && own - node.inputs.begin() < inputs_before)
        std::rotate(own + 1, node.inputs.begin() + inputs_before, node.inputs.end());
    for (const auto& slot : removed) {
        const auto again = std::ranges::find(node.inputs, slot.name, &Slot::name);
        if (again == node.inputs.end()) continue;
        again->link = slot.link;
        retarget(node, again - node.inputs.begin());
        input_was_linked(node, static_cast<std::size_t>(again - node.inputs.begin()), table);
    }
}

std::optional<std::size_t> ordinal_of(const Autogrow& autogrow, std::string_view name) {
    if (!autogrow.names.empty()) {
        const auto found = std::ranges::find(autogrow.names, name);
        if (found == autogrow.names.end()) return std::nullopt;
        return static_cast<std::size_t>(found - autogrow.names.begin());
    }
    const auto digits = name.substr(name.find_last_not_of("0123456789") + 1);
    std::size_t ordinal = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), ordinal);
    if (digits.empty() || error != std::errc{}) return std::nullopt;
    return ordinal;
}

// What a CustomCombo does when an option is written: behind the last one that is not empty there
// is an empty one.
void write_option(PageNode& node, Widget& widget) {
    const auto count = node.widgets.size();
    if (node.widgets[count - 1].get() == &widget) {
        if (!is_truthy(widget.value)) return;
        check_size(node);
        node.widgets.push_back(
            std::make_shared<Widget>(Widget{.name = fmt::format("option{}", count - 1),
                                            .kind = Widget::Kind::option,
                                            .value = ""}));
        return;
    }
    if (is_truthy(widget.value) || count < 2 || node.widgets[count - 2].get() != &widget ||
        is_truthy(node.widgets[count - 1]->value))
        return;
    node.widgets.pop_back();
}

}  // namespace

void make_inputs(PageNode& node, const ClassTable& table) {
    for (const auto& spec : node.known->inputs)
        add_socket(node, spec.name, spec, table);
    for (const auto& spec : node.known->inputs)
        if (is_widget(spec, table)) add_widget_input(node, spec.name, spec, table);
    add_class_widgets(node);
}

void put_value(PageNode& node, Widget& widget, json value, const ClassTable& table) {
    set_value(widget, std::move(value));
    if (widget.kind == Widget::Kind::dynamic_combo) make_branch(node, widget, table);
    if (widget.kind == Widget::Kind::option) write_option(node, widget);
}

void input_was_linked(PageNode& node, std::size_t index, const ClassTable& table) {
    const std::string name = node.inputs[index].name;
    const auto dot = name.rfind('.');
    if (dot == std::string::npos) return;
    const auto group = name.substr(0, dot);
    const auto autogrow = node.autogrow.find(group);
    if (autogrow == node.autogrow.end()) return;
    if (!node.inputs[index].widget.empty()) add_shim(node, node.inputs[index]);
    if (node.inputs[index].link.empty()) return;
    if (const auto ordinal = ordinal_of(*autogrow->second, std::string_view(name).substr(dot + 1)))
        grow(node, *ordinal + 1, group, table);
}

}  // namespace podctl::workflow

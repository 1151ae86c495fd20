#include "dynamic_inputs.hpp"
#include "page.hpp"
#include "primitives.hpp"
#include "widget_types.hpp"

#include <algorithm>

// What comes when all graphs are configured: onGraphConfigured() of
// src/extensions/core/widgetInputs.ts, and loadGraphData() of src/scripts/app.ts.
namespace podctl::workflow {
namespace {

// An input beside a widget that the class no longer has takes its link along. The page goes on
// behind the one that moved up, and so do we.
void drop_inputs_without_widget(PageNode& node) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const auto& slot = node.inputs[i];
        if (!slot.widget.empty() && !node.widget_of(slot))
            node.inputs.erase(node.inputs.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

bool is_combo(const Widget& widget) {
    return widget.kind == Widget::Kind::combo || widget.kind == Widget::Kind::dynamic_combo;
}

void mend_values(Page& page, PageNode& node) {
    const bool is_sampler = node.type == "KSampler" || node.type == "KSamplerAdvanced";
    for (std::size_t i = 0; i < node.widgets.size(); ++i) {
        const auto widget = node.widgets[i];
        if (is_sampler && widget->name == "sampler_name" && widget->value.is_string()) {
            const auto name = widget->value.get<std::string>();
            if (name.starts_with("sample_")) widget->value = name.substr(7);
        }
        if (!is_combo(*widget) || !widget->spec) continue;
        if (!widget->value.is_null() && !widget->value.is_discarded()) continue;
        if (!widget->spec->choices.empty())
            put_value(node, *widget, widget->spec->choices.front(), page.table);
        else if (!widget->spec->branches.empty())
            put_value(node, *widget, widget->spec->branches.front().key, page.table);
    }
}

template <class Visit>
void for_each_node(Page& page, const Visit& visit) {
    for (const auto& id : page.order)
        for (const auto& node : page.subgraphs.at(id)->nodes)
            visit(*node);
    for (const auto& node : page.root.nodes)
        visit(*node);
}

}  // namespace

void finish_loading(Page& page) {
    for_each_node(page, [](PageNode& node) {
        if (node.known) drop_inputs_without_widget(node);
    });
    for_each_node(page, [&](PageNode& node) { mend_values(page, node); });
    for_each_node(page, [&](PageNode& node) {
        if (node.type == "PrimitiveNode" && node.is_virtual) apply_primitive(page, node);
    });
}

}  // namespace podctl::workflow

#include "primitives.hpp"

#include "dynamic_inputs.hpp"
#include "text_rules.hpp"
#include "widget_types.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

// From ComfyUI_frontend: src/extensions/core/widgetInputs.ts, src/utils/nodeDefUtil.ts, and what
// widgets do with a number that is put into them (useIntWidget.ts, useFloatWidget.ts).
namespace podctl::workflow {
namespace {

constexpr double endless = std::numeric_limits<double>::infinity();

struct Fed {
    PageNode* node;
    Slot* slot;
};

std::vector<Fed> fed_by(PageNode& primitive) {
    std::vector<Fed> fed;
    if (primitive.output_links.empty()) return fed;
    for (const auto& id : primitive.output_links[0]) {
        const auto* link = primitive.graph->link(id);
        auto* node = link ? primitive.graph->node(link->target) : nullptr;
        if (!node) continue;
        const auto slot = std::ranges::find(node->inputs, id, &Slot::link);
        if (slot != node->inputs.end()) fed.push_back({node, &*slot});
    }
    return fed;
}

double number_or(const InputSpec& spec, const char* option, double otherwise) {
    const auto* value = spec.option(option);
    return value && value->is_number() ? value->get<double>() : otherwise;
}

// JavaScript's Math.round(): halves go up.
double rounded(double value) {
    return std::floor(value + 0.5);
}

json from_double(double value) {
    constexpr double exact = 9007199254740992.0;
    if (!std::isfinite(value)) return nullptr;
    if (std::floor(value) == value && std::abs(value) < exact)
        return static_cast<std::int64_t>(value);
    return value;
}

double to_fixed(double value, double digits) {
    const double scale = std::pow(10.0, std::clamp(digits, 0.0, 15.0));
    return rounded(value * scale) / scale;
}

// The callback of a number's widget: in steps of an INT, and at the precision of a FLOAT.
json in_steps(const InputSpec& spec, double value, double min, double max) {
    if (spec.type == "INT") {
        const double step = number_or(spec, "step", 1) == 0 ? 1 : number_or(spec, "step", 1);
        if (step == 1) return from_double(rounded(value));
        const double offset = std::isfinite(min) ? std::fmod(min, step) : 0;
        return from_double(rounded((value - offset) / step) * step + offset);
    }
    const double precision = std::max(0.0, -std::floor(std::log10(number_or(spec, "step", 0.5))));
    double round = number_or(spec, "round", 0);
    if (round == 0 && precision > 0) round = std::pow(10.0, -precision);
    if (round == 0) return from_double(value);
    const double on_grid = to_fixed(rounded(value / round) * round, precision);
    return from_double(std::clamp(on_grid, std::min(min, max), max));
}

const InputSpec* number_spec(const Fed& fed) {
    const auto* widget = fed.node->widget_of(*fed.slot);
    return widget && widget->kind == Widget::Kind::number ? widget->spec : nullptr;
}

// A primitive's widget is within the bounds of all that it is linked to.
json within_bounds(const std::vector<Fed>& fed, json value) {
    const auto* first = number_spec(fed.front());
    if (!first || !value.is_number()) return value;
    double min = -endless, max = endless;
    for (const auto& it : fed) {
        const auto* spec = number_spec(it);
        if (!spec || spec->type != first->type) continue;
        const double low = number_or(*spec, "min", -endless);
        const double high = number_or(*spec, "max", endless);
        if (min > high || max < low) continue;
        min = std::max(min, low);
        max = std::min(max, high);
    }
    return in_steps(*first, std::clamp(value.get<double>(), min, max), min, max);
}

// Beside a widget that it feeds the primitive's own control counts.
void hand_on_control(const Fed& fed, const json& control) {
    if (fed.node->subgraph || !control.is_string()) return;
    const auto* widget = fed.node->widget_of(*fed.slot);
    const auto& all = fed.node->widgets;
    const auto at = std::ranges::find_if(all, [&](const auto& it) { return it.get() == widget; });
    if (at == all.end() || at + 1 == all.end() || (*(at + 1))->name != control_name) return;
    (*(at + 1))->value = control;
}

void write(Page& page, const Fed& fed, const json& value) {
    if (fed.node->subgraph) {
        if (fed.slot->is_promoted) fed.slot->promoted = value;
        return;
    }
    auto* widget = fed.node->widget_of(*fed.slot);
    if (!widget) return;
    const auto* spec = number_spec(fed);
    if (spec && value.is_number())
        put_value(*fed.node, *widget,
                  in_steps(*spec, value.get<double>(), number_or(*spec, "min", 0),
                           number_or(*spec, "max", 2048)),
                  page.table);
    else
        put_value(*fed.node, *widget, value, page.table);
}

}  // namespace

void apply_primitive(Page& page, PageNode& primitive) {
    const auto fed = fed_by(primitive);
    if (fed.empty()) return;
    const auto& first = fed.front();
    const auto* widget = first.node->widget_of(*first.slot);
    const bool shows = first.node->subgraph ? first.slot->is_promoted : widget != nullptr;
    if (!shows) return;
    const auto& saved = list_at(*primitive.raw, "widgets_values");
    json value = !saved.empty()         ? saved[0]
                 : first.node->subgraph ? first.slot->promoted
                                        : value_of(*first.node, *widget);
    if (value.is_null() && widget && widget->kind == Widget::Kind::text_area) value = "";
    if (value.is_null() && widget && widget->spec && !widget->spec->choices.empty())
        value = widget->spec->choices.front();
    if (value.is_discarded()) return;
    value = within_bounds(fed, std::move(value));
    if (value.is_string()) {
        const auto* replaces = member(primitive.properties(), "Run widget replace on values");
        if (replaces && is_truthy(*replaces))
            value = with_replacements(page, value.get<std::string>(), page.now);
    }
    // A value may make the inputs behind it anew, so each is looked for again.
    const auto links = primitive.output_links[0];
    for (const auto& id : links) {
        const auto* link = primitive.graph->link(id);
        auto* node = link ? primitive.graph->node(link->target) : nullptr;
        if (!node) continue;
        const auto slot = std::ranges::find(node->inputs, id, &Slot::link);
        if (slot == node->inputs.end()) continue;
        write(page, {node, &*slot}, value);
        if (saved.size() > 1) hand_on_control({node, &*slot}, saved[1]);
    }
}

}  // namespace podctl::workflow

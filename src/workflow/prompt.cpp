#include "prompt.hpp"

#include "link_resolver.hpp"
#include "page.hpp"
#include "prompt_edits.hpp"
#include "text_rules.hpp"
#include "widget_types.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>

// graphToPrompt() of ComfyUI_frontend's src/utils/executionUtil.ts.
namespace podctl::workflow {
namespace {

constexpr double exact = 9007199254740992.0;  // 2^53: integers up to here are doubles

// An integer beyond 2^53 as JavaScript writes it: the shortest digits that mean its double, and
// zeros behind them. One that needs more than 64 bits stays a double.
json as_written(double number) {
    std::array<char, 32> text{};
    const auto made = std::to_chars(text.data(), text.data() + text.size(), std::abs(number),
                                    std::chars_format::scientific);
    const std::string_view shown{text.data(), static_cast<std::size_t>(made.ptr - text.data())};
    const auto mark = shown.find('e');
    std::string digits;
    for (const char c : shown.substr(0, mark))
        if (c != '.') digits += c;
    std::size_t exponent = 0;
    std::from_chars(shown.data() + mark + 2, shown.data() + shown.size(), exponent);
    if (digits.size() < exponent + 1) digits.append(exponent + 1 - digits.size(), '0');
    std::uint64_t whole = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), whole);
    if (read.ec != std::errc{}) return number;
    if (number > 0) return whole;
    if (whole > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return number;
    return -static_cast<std::int64_t>(whole);
}

// The numbers of JavaScript: what is an integer is written as one, and an integer that no double
// holds becomes the nearest that one does. In place, since a value may be large; JSON is not
// deeper than what the parser took.
void make_plain_numbers(json& value) {
    if (value.is_structured()) {
        for (auto& inner : value)
            make_plain_numbers(inner);
        return;
    }
    if (!value.is_number()) return;
    const auto number = value.get<double>();
    constexpr double longest = 1e21;  // from here on JavaScript writes an exponent
    if (!std::isfinite(number))
        value = nullptr;
    else if (std::floor(number) != number || std::abs(number) >= longest)
        return;
    else if (std::abs(number) >= exact)
        value = as_written(number);
    else if (value.is_number_float())
        value = static_cast<std::int64_t>(number);
}

class Writer {
public:
    Writer(const Page& page, const ConversionOptions& options)
        : page_(page), resolver_(page), options_(options), random_(options.seed) {}

    Prompt write() {
        json nodes = json::object();
        resolver_.for_each_running([&](const Scope& scope, const PageNode& node) {
            const auto id = scope.prefix + node.id;
            nodes[id] = written(scope, node, id);
        });
        remove_broken_links(nodes);
        make_plain_numbers(nodes);
        edit_prompt(nodes, page_.table, controls_, options_);
        prompt_.text = nodes.dump(-1, ' ', false, json::error_handler_t::replace);
        return std::move(prompt_);
    }

private:
    json written(const Scope& scope, const PageNode& node, const std::string& id) {
        json inputs = json::object();
        for (std::size_t i = 0; i < node.widgets.size(); ++i) {
            write_widget(node, *node.widgets[i], id, inputs);
            const auto* next = i + 1 < node.widgets.size() ? node.widgets[i + 1].get() : nullptr;
            if (next && next->name == control_name && next->value.is_string())
                controls_[id][node.widgets[i]->name] = next->value;
        }
        for (std::size_t slot = 0; slot < node.inputs.size(); ++slot) {
            const auto feed = resolver_.resolve(scope, node, slot);
            const auto& name = node.inputs[slot].name;
            if (const auto* source = std::get_if<Resolver::Source>(&feed))
                inputs[name] = {source->id, source->slot};
            if (const auto* value = std::get_if<json>(&feed)) {
                if (value->is_discarded())
                    inputs.erase(name);
                else
                    inputs[name] = wrapped(*value, false);
            }
        }
        if (!node.known)
            prompt_.unknown.push_back({.id = id,
                                       .class_type = node.type,
                                       .title = node.title,
                                       .registry_id = text_at(node.properties(), "cnr_id"),
                                       .repository = text_at(node.properties(), "aux_id")});
        return {{"class_type", node.known ? json(node.type) : json()},
                {"inputs", std::move(inputs)},
                {"_meta", {{"title", node.title}}}};
    }

    void write_widget(const PageNode& node, const Widget& widget, const std::string& id,
                      json& inputs) {
        if (widget.name.empty() || !widget.in_prompt) return;
        json value = value_of(node, widget);
        if (widget.has_dynamic_prompt && value.is_string())
            value = with_choices(value.get_ref<const std::string&>(), random_);
        if (widget.has_replacements && value.is_string())
            value = with_replacements(page_, value.get_ref<const std::string&>(), options_.now);
        if (!widget.page_reason.empty())
            prompt_.page_values.push_back({.node = id,
                                           .class_type = node.type,
                                           .input = widget.name,
                                           .reason = widget.page_reason});
        if (value.is_discarded())
            inputs.erase(widget.name);
        else
            inputs[widget.name] = wrapped(value, widget.is_curve);
    }

    // A value that is a list goes wrapped: a bare list means a link.
    json wrapped(const json& value, bool is_curve) const {
        budget_.spend(value);
        if (!value.is_array()) return value;
        json made = {{"__value__", value}};
        if (is_curve) made["__type__"] = "CURVE";
        return made;
    }

    static void remove_broken_links(json& nodes) {
        for (auto& node : nodes) {
            auto& inputs = node["inputs"];
            for (auto it = inputs.begin(); it != inputs.end();) {
                const bool is_link = it->is_array() && it->size() == 2;
                if (is_link && !nodes.contains((*it)[0].get<std::string>()))
                    it = inputs.erase(it);
                else
                    ++it;
            }
        }
    }

    const Page& page_;
    Resolver resolver_;
    const ConversionOptions& options_;
    std::mt19937_64 random_;
    Budget budget_ = {};
    Controls controls_ = {};
    Prompt prompt_ = {};
};

}  // namespace

Prompt prompt_of_page(const json& workflow, const ClassTable& table,
                      const ConversionOptions& options) {
    const auto page = load_page(workflow, table, options.now);
    return Writer{*page, options}.write();
}

}  // namespace podctl::workflow

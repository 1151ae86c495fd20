#include "prompt_edits.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

namespace podctl::workflow {
namespace {

constexpr double largest_random = 1125899906842624;  // 2^50, the page's bound

const InputSpec* find_spec(const ClassTable& table, const json& node, std::string_view input) {
    const auto* known = table.find(text_at(node, "class_type"));
    if (!known) return nullptr;
    const auto found = std::ranges::find(known->inputs, input, &InputSpec::name);
    return found == known->inputs.end() ? nullptr : &*found;
}

double number_option(const InputSpec& spec, const char* name, double otherwise) {
    const auto* given = spec.option(name);
    return given && given->is_number() ? given->get<double>() : otherwise;
}

// Between two equal values no difference is made: what one primitive or one subgraph's input has
// given to several nodes stays the same for all of them.
std::mt19937_64 random_for(const json& value, const ConversionOptions& options) {
    std::vector<std::uint32_t> words{static_cast<std::uint32_t>(options.seed),
                                     static_cast<std::uint32_t>(options.seed >> 32),
                                     options.repeat};
    for (const char c : value.dump())
        words.push_back(static_cast<unsigned char>(c));
    std::seed_seq seeds(words.begin(), words.end());
    return std::mt19937_64{seeds};
}

// applyWidgetControl() of ComfyUI_frontend's src/scripts/widgets.ts, for a number.
json next_number(const json& value, const InputSpec& spec, const std::string& control,
                 const ConversionOptions& options) {
    const double step = std::max(number_option(spec, "step", 1), 1e-9);
    const double max = std::min(largest_random, number_option(spec, "max", 1));
    const double min = std::max(-largest_random, number_option(spec, "min", 0));
    double next = value.get<double>();
    if (control == "increment") next += step * options.repeat;
    if (control == "decrement") next -= step * options.repeat;
    if (control == "randomize") {
        auto random = random_for(value, options);
        const double part = static_cast<double>(random() >> 11) * 0x1p-53;
        next = std::floor(part * ((max - min) / step)) * step + min;
    }
    next = std::max(min, std::min(next, max));
    if (spec.type == "INT") return static_cast<std::int64_t>(next);
    return next;
}

// The same for a choice.
json next_choice(const json& value, const InputSpec& spec, const std::string& control,
                 const ConversionOptions& options) {
    const auto& choices = spec.choices;
    if (choices.empty()) return value;
    const auto count = static_cast<std::int64_t>(choices.size());
    const auto found = std::ranges::find(choices, value);
    std::int64_t index = found == choices.end() ? -1 : found - choices.begin();
    if (control == "increment") index += options.repeat;
    if (control == "increment-wrap") index = (index + options.repeat) % count;
    if (control == "decrement") index -= options.repeat;
    if (control == "randomize")
        index = static_cast<std::int64_t>(random_for(value, options)() %
                                          static_cast<std::uint64_t>(count));
    return choices[static_cast<std::size_t>(std::clamp<std::int64_t>(index, 0, count - 1))];
}

void advance(json& nodes, const ClassTable& table, const Controls& controls,
             const ConversionOptions& options) {
    for (const auto& [id, inputs] : controls)
        for (const auto& [name, control] : inputs) {
            const auto node = nodes.find(id);
            if (node == nodes.end() || control == "fixed") continue;
            const auto* spec = find_spec(table, *node, name);
            const auto value = (*node)["inputs"].find(name);
            if (!spec || value == (*node)["inputs"].end()) continue;
            if (value->is_number())
                *value = next_number(*value, *spec, control, options);
            else if (!value->is_structured() && !spec->choices.empty())
                *value = next_choice(*value, *spec, control, options);
        }
}

void rename_files(json& nodes, const ConversionOptions& options) {
    for (auto& node : nodes)
        for (auto& value : node["inputs"]) {
            if (!value.is_string()) continue;
            const auto found = options.files.find(value.get_ref<const std::string&>());
            if (found != options.files.end()) value = found->second;
        }
}

Error wrong(const InputValue& value, const std::string& what, std::string hint) {
    return Error{ErrorKind::usage, fmt::format("{}={}: {}", value.target, value.value, what),
                 std::move(hint)};
}

std::string title_of(const json& node) {
    return text_at(object_at(node, "_meta"), "title");
}

// By its id, else by its title, else by its class.
std::vector<std::string> named_so(const json& nodes, const std::string& name) {
    if (nodes.contains(name)) return {name};
    std::vector<std::string> by_title, by_class;
    for (const auto& [id, node] : nodes.items()) {
        if (title_of(node) == name) by_title.push_back(id);
        if (text_at(node, "class_type") == name) by_class.push_back(id);
    }
    return by_title.empty() ? by_class : by_title;
}

std::string near_nodes(const json& nodes, const std::string& wanted) {
    std::vector<std::string> names;
    for (const auto& [id, node] : nodes.items())
        for (const auto& name : {id, title_of(node), text_at(node, "class_type")})
            if (!name.empty()) names.push_back(name);
    if (const auto near = nearest(wanted, names)) return fmt::format("did you mean {}?", *near);
    return "a node's id, title or class, as `podctl run WORKFLOW --print-prompt` shows them";
}

struct NamedInput {
    std::string node, input;
};

// Titles and names of inputs may hold dots, so every one is tried.
NamedInput target_of(const InputValue& value, const json& nodes) {
    const auto& text = value.target;
    for (auto dot = text.find('.'); dot != text.npos; dot = text.find('.', dot + 1)) {
        const auto found = named_so(nodes, text.substr(0, dot));
        if (found.size() > 1)
            throw wrong(value, fmt::format("nodes {} are called so", fmt::join(found, ", ")),
                        "name one by its id");
        if (found.size() == 1 && dot + 1 < text.size())
            return {found.front(), text.substr(dot + 1)};
    }
    if (text.find('.') == text.npos)
        throw wrong(value, "no input is named", "NODE.INPUT=VALUE, for instance 3.seed=42");
    const auto wanted = text.substr(0, text.find('.'));
    throw wrong(value, fmt::format("the workflow runs no node {}", wanted),
                near_nodes(nodes, wanted));
}

template <class Number>
std::optional<Number> parsed_number(const std::string& text) {
    Number number{};
    const auto* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
    return number;
}

// As the input's type says; what has none that is known here is taken as JSON, else as text.
json value_for(const InputValue& value, const InputSpec* spec) {
    const auto& text = value.value;
    const std::string type = spec ? spec->type : "";
    if (type == "STRING") return text;
    if (type == "INT") {
        if (const auto number = parsed_number<std::int64_t>(text)) return *number;
        if (const auto number = parsed_number<std::uint64_t>(text)) return *number;
        throw wrong(value, "it takes a whole number", {});
    }
    if (type == "FLOAT") {
        if (const auto number = parsed_number<double>(text); number && std::isfinite(*number))
            return *number;
        throw wrong(value, "it takes a number", {});
    }
    if (type == "BOOLEAN") {
        if (text == "true" || text == "false") return text == "true";
        throw wrong(value, "it takes true or false", {});
    }
    if (spec)
        for (const auto& choice : spec->choices)
            if (plain_text(choice) == text) return choice;
    if (type == "COMBO") return text;
    const auto parsed = parse_json(text);
    return parsed ? *parsed : json(text);
}

void set_value(json& nodes, const ClassTable& table, const InputValue& value) {
    const auto target = target_of(value, nodes);
    auto& node = nodes[target.node];
    auto& inputs = node["inputs"];
    const auto* spec = find_spec(table, node, target.input);
    if (!spec && !inputs.contains(target.input)) {
        std::vector<std::string> names;
        for (const auto& [name, old] : inputs.items())
            names.push_back(name);
        const auto near = nearest(target.input, names);
        throw wrong(value,
                    fmt::format("node {} ({}) has no input {}", target.node,
                                text_at(node, "class_type"), target.input),
                    near ? fmt::format("did you mean {}?", *near)
                         : fmt::format("it has: {}", fmt::join(names, ", ")));
    }
    inputs[target.input] = value_for(value, spec);
}

}  // namespace

void edit_prompt(json& nodes, const ClassTable& table, const Controls& controls,
                 const ConversionOptions& options) {
    if (options.repeat > 0) advance(nodes, table, controls, options);
    if (!options.files.empty()) rename_files(nodes, options);
    for (const auto& value : options.values)
        set_value(nodes, table, value);
}

Controls usual_controls(const json& nodes, const ClassTable& table) {
    Controls controls;
    for (const auto& [id, node] : nodes.items())
        for (const auto& [name, value] : object_at(node, "inputs").items()) {
            const auto* spec = find_spec(table, node, name);
            if (spec && is_controlled(*spec, name)) controls[id][name] = "randomize";
        }
    return controls;
}

}  // namespace podctl::workflow

#include "overlay.hpp"

#include "podctl/base/error.hpp"

#include "document.hpp"
#include "leaks.hpp"
#include "table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace podctl::tmpl {
namespace {

// A path of more steps than this names nothing in a template.
constexpr std::size_t most_steps = 16;

struct Assignment {
    std::vector<std::string> steps;
    std::string_view value;
};

[[noreturn]] void refuse(std::string_view assignment, const std::string& reason) {
    const std::string_view key =
        assignment.substr(0, std::min(assignment.find('='), assignment.size()));
    throw Error{ErrorKind::usage, fmt::format("--set {}: {}", quote(key), reason),
                "write --set KEY=VALUE: --set comfyui.port=9001, --set models.0.to=loras"};
}

// Takes one step from the front: a word up to . [ or =, or text in double quotes.
std::string take_step(std::string_view& rest, std::string_view assignment) {
    std::string_view step;
    if (rest.starts_with('"')) {
        const auto end = rest.find('"', 1);
        if (end == std::string_view::npos) refuse(assignment, "the quote does not end");
        step = rest.substr(1, end - 1);
        rest.remove_prefix(end + 1);
    } else {
        step = rest.substr(0, rest.find_first_of(".[="));
        rest.remove_prefix(step.size());
    }
    if (step.empty()) refuse(assignment, "a part of the key is empty");
    return std::string{step};
}

// models[2].to, as diagnostics write it, is the same as models.2.to.
std::string take_index(std::string_view& rest, std::string_view assignment) {
    const auto end = rest.find(']');
    if (end == std::string_view::npos || end == 1)
        refuse(assignment, "[ begins an index: models[0]");
    std::string index{rest.substr(1, end - 1)};
    rest.remove_prefix(end + 1);
    return index;
}

Assignment parse_assignment(std::string_view assignment) {
    Assignment result;
    std::string_view rest = assignment;
    result.steps.push_back(take_step(rest, assignment));
    while (!rest.starts_with('=')) {
        if (rest.empty()) refuse(assignment, "there is no = and no value");
        if (result.steps.size() == most_steps) refuse(assignment, "the key has too many parts");
        if (rest.starts_with('[')) {
            result.steps.push_back(take_index(rest, assignment));
        } else if (rest.starts_with('.')) {
            rest.remove_prefix(1);
            result.steps.push_back(take_step(rest, assignment));
        } else {
            refuse(assignment, "a dot is missing in the key");
        }
    }
    result.value = rest.substr(1);
    return result;
}

// The type of what a step leads to; nullptr where the table knows none.
const Type* next_type(const Type* type, const std::string& step) {
    if (!type) return nullptr;
    if (type->kind == Kind::list || type->kind == Kind::map) return type->element.get();
    if (type->kind != Kind::mapping) return nullptr;
    const Field* field = type->shape->find(step);
    return field ? &field->type : nullptr;
}

// Makes a container of what is nothing yet, or of a short form.
void open_up(Value& value, const Type* type) {
    if (value.is_null()) {
        const bool list = type && type->kind == Kind::list;
        value.type = list ? Value::Type::sequence : Value::Type::mapping;
        return;
    }
    const bool short_form = type && type->kind == Kind::mapping && !type->shape->short_form.empty();
    if (!value.is_scalar() || !short_form) return;
    Value opened{Value::Type::mapping, value.place};
    opened.entries.push_back({type->shape->short_form, value.place, value});
    value = std::move(opened);
}

// The value that a step leads to, created where it is missing; nullptr (and a diagnostic) where
// there is no way.
Value* enter(Value& value, const std::string& step, const std::string& path, const Place& place,
             Diagnostics& diagnostics) {
    if (value.is_mapping()) {
        if (Value* found = value.find(step)) return found;
        value.entries.push_back({step, place, {Value::Type::null, place}});
        return &value.entries.back().value;
    }
    if (!value.is_sequence()) {
        diagnostics.add(place, key_path(path, step),
                        fmt::format("{} is {}; it has nothing to set in it", path, shown(value)));
        return nullptr;
    }
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
    if (error != std::errc{} || end != step.data() + step.size() || index > value.items.size()) {
        diagnostics.add(
            place, path,
            fmt::format("is a list of {}; found {}, allowed: an index from 0 to {} (which appends)",
                        value.items.size(), quote(step), value.items.size()));
        return nullptr;
    }
    if (index == value.items.size()) value.items.emplace_back(Value::Type::null, place);
    return &value.items[index];
}

// A --set value is a literal like any other.
void find_secrets_in_set(Value& value, const std::vector<std::string>& steps,
                         const std::string& path, Diagnostics& diagnostics) {
    Value leaf{Value::Type::mapping, value.place};
    leaf.entries.push_back({steps.back(), value.place, std::move(value)});
    Diagnostics found;
    find_secrets(leaf, {}, found);
    value = std::move(leaf.entries.front().value);
    if (!found.empty()) {
        diagnostics.add(value.place, path,
                        "looks like a secret (not shown); give it by the environment");
    }
}

// What is taken out of nothing. True when nothing is left.
bool take_out_nulls(Value& value) {
    if (value.is_null()) return true;
    const bool had_entries = !value.entries.empty();
    std::erase_if(value.entries, [](Entry& entry) { return take_out_nulls(entry.value); });
    return had_entries && value.entries.empty();
}

// Takes out what the steps lead to, if it is there. False: a list is on the way.
bool take_out(Value& root, std::span<const std::string> steps) {
    Value* value = &root;
    for (const auto& step : steps.first(steps.size() - 1)) {
        if (value->is_sequence()) return false;
        value = value->find(step);
        if (!value) return true;
    }
    if (value->is_sequence()) return false;
    std::erase_if(value->entries, [&](const Entry& entry) { return entry.key == steps.back(); });
    return true;
}

}  // namespace

void merge(Value& base, Value over) {
    if (!base.is_mapping() || !over.is_mapping()) {
        base = std::move(over);
        return;
    }
    std::unordered_map<std::string, std::size_t> index;
    std::unordered_set<std::string> taken_out;
    for (std::size_t i = 0; i < base.entries.size(); ++i)
        index.emplace(base.entries[i].key, i);
    for (Entry& entry : over.entries) {
        const auto found = index.find(entry.key);
        if (found == index.end()) {
            if (!take_out_nulls(entry.value)) base.entries.push_back(std::move(entry));
        } else if (entry.value.is_null()) {
            taken_out.insert(entry.key);
        } else {
            merge(base.entries[found->second].value, std::move(entry.value));
        }
    }
    std::erase_if(base.entries, [&](const Entry& entry) { return taken_out.contains(entry.key); });
}

void apply_set(Value& root, const std::string& assignment, Diagnostics& diagnostics) {
    static const auto file = std::make_shared<const std::string>("--set");
    const auto [steps, text] = parse_assignment(assignment);
    auto value = parse_document(text, file, Lines::none, diagnostics);
    if (!value) return;
    if (value->is_null() && take_out(root, steps)) return;
    const Type root_type{.kind = Kind::mapping, .shape = &template_shape()};
    const Type* type = &root_type;
    Value* target = &root;
    std::string path;
    for (const std::string& step : steps) {
        open_up(*target, type);
        const bool in_list = target->is_sequence();
        target = enter(*target, step, path, {file}, diagnostics);
        if (!target) return;
        path = in_list ? fmt::format("{}[{}]", path, step) : key_path(path, step);
        type = next_type(type, step);
    }
    find_secrets_in_set(*value, steps, path, diagnostics);
    merge(*target, std::move(*value));
}

}  // namespace podctl::tmpl

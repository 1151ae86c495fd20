#include "rows.hpp"

#include "podctl/base/error.hpp"

#include "validate.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace podctl::tmpl {
namespace {

// The defaults are podctl's own: nothing in them needs a backslash.
std::string quoted_default(const std::string& text) {
    return text.empty() ? text : '"' + text + '"';
}

Type map_type(const Format& key_format, Type element) {
    return {.kind = Kind::map,
            .element = std::make_shared<const Type>(std::move(element)),
            .key_format = &key_format};
}

}  // namespace

Typed<std::string> string(const Format& format) {
    return {{.kind = Kind::string, .format = &format}};
}

Typed<std::string> text() {
    return {{.kind = Kind::text}};
}

Typed<bool> boolean() {
    return {{.kind = Kind::boolean}};
}

Typed<Bytes> size() {
    return {{.kind = Kind::size}};
}

Typed<std::chrono::milliseconds> duration() {
    return {{.kind = Kind::duration}};
}

Typed<Pairs> pairs(const Format& key_format, Typed<std::string> element) {
    return {map_type(key_format, std::move(element.type))};
}

Typed<Map> map(const Format& key_format, Typed<std::string> element) {
    return {map_type(key_format, std::move(element.type))};
}

void read(const Value& value, const Type&, std::string& to) {
    to = value.text;
}

void read(const Value& value, const Type& type, bool& to) {
    to =
        type.kind == Kind::choice ? meaning_of(value, type) != 0 : read_boolean(value.text).value();
}

void read(const Value& value, const Type&, Bytes& to) {
    to = read_size(value.text).value();
}

void read(const Value& value, const Type&, std::chrono::milliseconds& to) {
    to = read_duration(value.text).value();
}

void read(const Value& value, const Type&, Pairs& to) {
    to.clear();
    for (const Entry& entry : value.entries)
        to.emplace_back(entry.key, entry.value.text);
}

void read(const Value& value, const Type&, Map& to) {
    to.clear();
    for (const Entry& entry : value.entries)
        to[entry.key] = entry.value.text;
}

std::int64_t integer_of(const Value& value) {
    return read_integer(value.text).value();
}

int meaning_of(const Value& value, const Type& type) {
    const auto found = std::ranges::find(type.choices, value.text);
    if (found == type.choices.end())
        throw Error{ErrorKind::internal, fmt::format("a value other than {}", allowed(type))};
    return type.meanings.at(static_cast<std::size_t>(found - type.choices.begin()));
}

std::string as_default(const std::string& text, const Type&) {
    return quoted_default(text);
}

std::string as_default(bool yes, const Type& type) {
    if (type.kind == Kind::choice) return word_for(yes, type);
    return yes ? "true" : "false";
}

// As people write it: in minutes where it takes many.
std::string as_default(std::chrono::milliseconds duration, const Type&) {
    using namespace std::chrono;
    if (duration >= 5min && duration % 1min == 0ms)
        return quoted_default(fmt::format("{}m", duration / 1min));
    if (duration % 1s == 0ms) return quoted_default(fmt::format("{}s", duration / 1s));
    return quoted_default(fmt::format("{}ms", duration / 1ms));
}

std::string word_for(int meaning, const Type& type) {
    const auto found = std::ranges::find(type.meanings, meaning);
    if (found == type.meanings.end()) return {};
    return quoted_default(type.choices[static_cast<std::size_t>(found - type.meanings.begin())]);
}

const Value* said_of(const Field& field, const Value& value, const Shape& shape) {
    if (value.is_scalar()) return field.name == shape.short_form ? &value : nullptr;
    const Value* said = value.find(field.name);
    // A key without a value is not set, but `comfyui:` still says that there is one.
    return said && (!said->is_null() || field.type.kind == Kind::mapping) ? said : nullptr;
}

Field make_field(std::string_view name, const Type& type, std::string_view description,
                 std::string fallback) {
    return {.name = std::string{name},
            .type = type,
            .description = std::string{description},
            .fallback = std::move(fallback)};
}

}  // namespace podctl::tmpl

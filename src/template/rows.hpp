#pragma once

#include "podctl/base/units.hpp"

#include "table.hpp"
#include "value.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

// What the rows of keys*.cpp are written in. A row is a key: its type, the member that its value
// goes to, and what it means. Types and members are checked against each other by the compiler.
namespace podctl::tmpl {

// A type of the table for values that are a T here.
template <typename T>
struct Typed {
    Type type;
};

Typed<std::string> string(const Format& format);
Typed<std::string> text();
Typed<bool> boolean();
Typed<Bytes> size();
Typed<std::chrono::milliseconds> duration();

template <std::integral T>
Typed<T> integer(T minimum, T maximum) {
    return {{.kind = Kind::integer, .minimum = minimum, .maximum = maximum}};
}

// One of some words, with what each means: of an enum, or true.
template <typename T>
Typed<T> choice(std::initializer_list<std::pair<const char*, T>> words) {
    Type type{.kind = Kind::choice};
    for (const auto& [word, meaning] : words) {
        type.choices.emplace_back(word);
        type.meanings.push_back(static_cast<int>(meaning));
    }
    return {std::move(type)};
}

template <typename T>
Typed<std::vector<T>> list(Typed<T> element) {
    return {{.kind = Kind::list, .element = std::make_shared<const Type>(std::move(element.type))}};
}

// Keys of the user's own: in the order of the template, or in their own.
using Pairs = std::vector<std::pair<std::string, std::string>>;
using Map = std::map<std::string, std::string>;
Typed<Pairs> pairs(const Format& key_format, Typed<std::string> element);
Typed<Map> map(const Format& key_format, Typed<std::string> element);

// Takes over a value that validate() found nothing wrong with. Throws Error{internal} for a word
// that has no meaning.
void read(const Value& value, const Type& type, std::string& to);
void read(const Value& value, const Type& type, bool& to);
void read(const Value& value, const Type& type, Bytes& to);
void read(const Value& value, const Type& type, std::chrono::milliseconds& to);
void read(const Value& value, const Type& type, Pairs& to);
void read(const Value& value, const Type& type, Map& to);
std::int64_t integer_of(const Value& value);
int meaning_of(const Value& value, const Type& type);

template <std::integral T>
void read(const Value& value, const Type&, T& to) {
    to = static_cast<T>(integer_of(value));
}

template <typename T>
requires std::is_enum_v<T>
void read(const Value& value, const Type& type, T& to) {
    to = static_cast<T>(meaning_of(value, type));
}

template <typename T>
void read(const Value& value, const Type& type, std::optional<T>& to) {
    read(value, type, to.emplace());
}

template <typename T>
void read(const Value& value, const Type& type, std::vector<T>& to) {
    to.clear();
    for (const Value& item : value.items)
        read(item, *type.element, to.emplace_back());
}

// A default as JSON; empty: it is none, or not worth a word.
std::string as_default(const std::string& text, const Type& type);
std::string as_default(bool yes, const Type& type);
std::string as_default(std::chrono::milliseconds duration, const Type& type);
std::string word_for(int meaning, const Type& type);

template <typename T>
std::string as_default(const T& value, const Type& type) {
    if constexpr (std::is_enum_v<T>) return word_for(static_cast<int>(value), type);
    if constexpr (std::integral<T>) return std::to_string(value);
    return {};
}

// A key of what is an S.
template <typename S>
struct Row {
    Field field;
    std::function<void(const Value&, const Type&, S&)> bind;  // takes over a value that is set
};

// What is to be said of the keys of a mapping together.
struct Rules {
    std::string short_form = {};           // the key that a plain scalar stands for
    std::vector<std::string> one_of = {};  // exactly one of these must be there
};

// What `value` says of a field; nullptr: nothing.
const Value* said_of(const Field& field, const Value& value, const Shape& shape);

// The keys of a mapping, all of which go into one S.
template <typename S>
class Table {
public:
    Table(std::string title, std::initializer_list<Row<S>> rows, Rules rules = {})
        : shape_{.title = std::move(title),
                 .fields = {},
                 .short_form = std::move(rules.short_form),
                 .one_of = std::move(rules.one_of)} {
        for (const Row<S>& row : rows) {
            shape_.fields.push_back(row.field);
            binds_.push_back(row.bind);
        }
    }

    const Shape& shape() const { return shape_; }

    // What the value does not set stays as it is.
    void bind(const Value& value, S& to) const {
        for (std::size_t i = 0; i < binds_.size(); ++i) {
            const Field& field = shape_.fields[i];
            if (const Value* said = said_of(field, value, shape_)) binds_[i](*said, field.type, to);
        }
    }

private:
    Shape shape_;
    std::vector<std::function<void(const Value&, const Type&, S&)>> binds_;  // of each field
};

// The table of a struct, defined once for each.
template <typename S>
const Table<S>& keys_of();

template <typename S>
Typed<S> mapping() {
    return {{.kind = Kind::mapping, .shape = &keys_of<S>().shape()}};
}

template <typename S>
requires std::is_class_v<S>
void read(const Value& value, const Type&, S& to) {
    keys_of<S>().bind(value, to);
}

Field make_field(std::string_view name, const Type& type, std::string_view description,
                 std::string fallback = {});

// What a member has to be for a T: one, or perhaps none.
template <typename M, typename T>
concept Holding = std::same_as<M, T> || std::same_as<M, std::optional<T>>;

// The default is the member's own. An optional member has none: without the key it is absent.
template <typename S, typename T, Holding<T> M>
Row<S> field(std::string_view name, M S::*member, const Typed<T>& typed,
             std::string_view description) {
    return {
        make_field(name, typed.type, description, as_default(S{}.*member, typed.type)),
        [member](const Value& value, const Type& type, S& to) { read(value, type, to.*member); }};
}

// A mapping whose keys go into the same S.
template <typename S>
Row<S> section(std::string_view name, const Table<S>& table, std::string_view description) {
    return {make_field(name, {.kind = Kind::mapping, .shape = &table.shape()}, description),
            [&table](const Value& value, const Type&, S& to) { table.bind(value, to); }};
}

template <typename S>
Row<S> required(Row<S> row) {
    row.field.required = true;
    return row;
}

}  // namespace podctl::tmpl

#pragma once

#include "formats.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// What a table of keys says: the template's is written in keys*.cpp. Validation, "did you mean",
// the JSON Schema, the reference page, the order of effective_yaml and the binding to template.hpp
// all come from it, so that none of them can know a key that another does not.
namespace podctl::tmpl {

enum class Kind {
    string,  // text; a plain number is taken as it is written
    text,    // as string, and plain true and false, too: command lines, environments
    integer,
    boolean,
    size,      // 12GB
    duration,  // 90s
    choice,
    list,
    map,      // keys of the user's own
    mapping,  // keys of a Shape
};

struct Shape;

struct Type {
    Kind kind = Kind::string;
    const Format* format = nullptr;  // of a string
    std::vector<std::string> choices = {};
    std::vector<int> meanings = {};  // of the choices, where they stand for an enum's
    std::int64_t minimum = 0;        // of an integer
    std::int64_t maximum = 0;
    std::shared_ptr<const Type> element = {};  // of a list or a map
    std::size_t least_items = 0;               // of a list
    std::size_t most_items = 0;                // 0: any number
    bool unique = false;
    const Format* key_format = nullptr;  // of a map
    const Shape* shape = nullptr;        // of a mapping
};

struct Field {
    std::string name;
    Type type;
    std::string description;
    std::string fallback = {};  // the default as JSON; empty: none
    bool required = false;
    std::vector<std::string> excludes = {};  // keys that cannot stand beside it
};

struct Shape {
    std::string title;
    std::vector<Field> fields;
    std::string short_form = {};           // the field that a plain scalar stands for
    std::vector<std::string> one_of = {};  // exactly one of these must be there

    const Field* find(std::string_view name) const;
    std::vector<std::string> names() const;
};

const Shape& template_shape();

// "a mapping", "an integer from 1 to 65535", "auto, uv or pip": what a value of the type may be.
std::string allowed(const Type& type);

}  // namespace podctl::tmpl

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::tmpl {

// Where something stands. line 0: nowhere in a file (a --set value).
struct Place {
    std::shared_ptr<const std::string> file;
    int line = 0;    // from 1
    int column = 0;  // from 1
};

struct Entry;

// A YAML value. Scalars stay text until the binder reads them, so that `ref: 8.20` is not taken
// for 8.2.
struct Value {
    enum class Type { null, scalar, sequence, mapping };

    Value();
    Value(Type type, Place place, std::string text = {});

    Type type = Type::null;
    Place place;
    std::string text;           // of a scalar; after interpolation with the variables' values in it
    std::string written;        // of an interpolated scalar: what the template says
    std::string printed;        // the same with the values that may be shown
    bool quoted = false;        // a quoted or block scalar: text, whatever it looks like
    bool interpolated = false;  // `written` and `printed` are set
    bool from_environment = false;    // a variable's value is in `text`
    bool secret = false;              // a secret's value is in `text`
    std::vector<std::string> hidden;  // variables' values in `text` that no output may show
    bool confidential = false;        // a literal secret: no diagnostic may show it
    bool faulty = false;  // a diagnostic speaks of it already; later checks leave it alone
    std::vector<Value> items;
    std::vector<Entry> entries;

    bool is_null() const { return type == Type::null; }
    bool is_scalar() const { return type == Type::scalar; }
    bool is_sequence() const { return type == Type::sequence; }
    bool is_mapping() const { return type == Type::mapping; }

    // The value of a key of a mapping; nullptr: no mapping, or no such key.
    const Value* find(std::string_view key) const;
    Value* find(std::string_view key);
};

struct Entry {
    std::string key;
    Place place;
    Value value;
};

// A plain scalar that YAML 1.2's core schema resolves as one.
bool is_boolean_word(std::string_view text);

}  // namespace podctl::tmpl

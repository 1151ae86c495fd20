#include "value.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace podctl::tmpl {

Value::Value() = default;

Value::Value(Type type, Place place, std::string text)
    : type(type), place(std::move(place)), text(std::move(text)) {}

const Value* Value::find(std::string_view key) const {
    for (const auto& entry : entries) {
        if (entry.key == key) return &entry.value;
    }
    return nullptr;
}

Value* Value::find(std::string_view key) {
    return const_cast<Value*>(std::as_const(*this).find(key));
}

bool is_boolean_word(std::string_view text) {
    static constexpr std::array<std::string_view, 6> words = {"true",  "True",  "TRUE",
                                                              "false", "False", "FALSE"};
    return std::find(words.begin(), words.end(), text) != words.end();
}

}  // namespace podctl::tmpl

#include "value.hpp"

#include <algorithm>
#include <array>
#include <cctype>
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

bool is_number_word(std::string_view text) {
    static constexpr std::array<std::string_view, 4> words = {".inf", ".Inf", ".nan", ".NaN"};
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    if (std::find(words.begin(), words.end(), text) != words.end()) return true;
    if (text.empty()) return false;
    const bool starts = std::isdigit(static_cast<unsigned char>(text[0])) || text[0] == '.';
    const auto in_number = [](char c) {
        return std::isxdigit(static_cast<unsigned char>(c)) || c == '.' || c == 'x' || c == 'o' ||
               c == '+' || c == '-' || c == '_';
    };
    return starts && text != "." && std::all_of(text.begin(), text.end(), in_number);
}

}  // namespace podctl::tmpl

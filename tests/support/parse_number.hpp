#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace podctl::test {

// All of the text, or nullopt.
template <class Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace podctl::test

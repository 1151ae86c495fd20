#include "podctl/base/units.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/text.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace podctl {

namespace {

// Digits, with a fraction or without. The whole part stays an integer, so that no size loses a
// byte.
struct Number {
    std::uint64_t whole = 0;
    long double fraction = 0;
};

// Takes a number from the front of `text`.
std::optional<Number> take_number(std::string_view& text) {
    Number number;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number.whole);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty() || text.front() != '.') return number;
    text.remove_prefix(1);
    if (text.empty() || !is_digit(text.front())) return std::nullopt;
    for (long double place = 0.1L; !text.empty() && is_digit(text.front()); place /= 10) {
        number.fraction += place * static_cast<long double>(text.front() - '0');
        text.remove_prefix(1);
    }
    return number;
}

// number × factor, rounded; nullopt when it does not fit.
std::optional<std::uint64_t> scale(const Number& number, std::uint64_t factor) {
    const auto rest = static_cast<std::uint64_t>(
        std::llround(number.fraction * static_cast<long double>(factor)));
    std::uint64_t result = 0;
    if (__builtin_mul_overflow(number.whole, factor, &result)) return std::nullopt;
    if (__builtin_add_overflow(result, rest, &result)) return std::nullopt;
    return result;
}

std::optional<std::uint64_t> byte_unit(std::string_view unit) {
    struct Unit {
        std::string_view name;
        std::uint64_t factor;
    };
    static constexpr std::array<Unit, 10> units{{{"", 1},
                                                 {"b", 1},
                                                 {"kb", 1'000},
                                                 {"mb", 1'000'000},
                                                 {"gb", 1'000'000'000},
                                                 {"tb", 1'000'000'000'000},
                                                 {"kib", 1ULL << 10},
                                                 {"mib", 1ULL << 20},
                                                 {"gib", 1ULL << 30},
                                                 {"tib", 1ULL << 40}}};
    const std::string lower = to_lower(unit);
    for (const auto& [name, factor] : units)
        if (name == lower) return factor;
    return std::nullopt;
}

struct DurationUnit {
    std::string_view name;
    std::uint64_t milliseconds;
};
constexpr std::array<DurationUnit, 4> duration_units{
    {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};

}  // namespace

std::optional<Bytes> parse_bytes(std::string_view text) {
    text = trim(text);
    const auto number = take_number(text);
    if (!number) return std::nullopt;
    const auto factor = byte_unit(trim(text));
    if (!factor || (*factor == 1 && number->fraction != 0)) return std::nullopt;
    const auto count = scale(*number, *factor);
    if (!count) return std::nullopt;
    return Bytes{*count};
}

std::string format_bytes(Bytes bytes) {
    if (bytes.count < 1'000) return fmt::format("{} B", bytes.count);
    static constexpr std::array<std::string_view, 6> units{"KB", "MB", "GB", "TB", "PB", "EB"};
    double value = static_cast<double>(bytes.count) / 1'000;
    std::size_t unit = 0;
    // 999.95 would be printed as 1000.0.
    while (value >= 999.95 && unit + 1 < units.size()) {
        value /= 1'000;
        ++unit;
    }
    return fmt::format("{:.1f} {}", value, units[unit]);
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    text = trim(text);
    if (text.empty()) return std::nullopt;
    std::uint64_t total = 0;
    std::size_t next_unit = 0;  // each unit at most once, the larger before the smaller
    while (!text.empty()) {
        const auto number = take_number(text);
        if (!number) return std::nullopt;
        std::size_t length = 0;
        while (length < text.size() && !is_digit(text[length]))
            ++length;
        const std::string unit = to_lower(trim(text.substr(0, length)));
        text.remove_prefix(length);
        while (next_unit < duration_units.size() && duration_units[next_unit].name != unit)
            ++next_unit;
        if (next_unit == duration_units.size()) return std::nullopt;
        const auto part = scale(*number, duration_units[next_unit++].milliseconds);
        if (!part || __builtin_add_overflow(total, *part, &total)) return std::nullopt;
    }
    if (total > static_cast<std::uint64_t>(std::chrono::milliseconds::max().count()))
        return std::nullopt;
    return std::chrono::milliseconds{static_cast<std::int64_t>(total)};
}

std::string format_duration(std::chrono::milliseconds duration) {
    const auto ms = duration.count();
    if (ms < 0) return "-" + format_duration(-duration);
    if (ms < 1'000) return fmt::format("{}ms", ms);
    if (ms < 59'950) return fmt::format("{:.1f}s", static_cast<double>(ms) / 1'000);
    const auto seconds = (ms + 500) / 1'000;
    if (seconds < 3'600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
    const auto minutes = (seconds + 30) / 60;
    return fmt::format("{}h{:02}m", minutes / 60, minutes % 60);
}

}  // namespace podctl

#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace podctl {

// Bounds on JSON that somebody else wrote: a hub, a service, a volume. Checked before a value is
// built, so that what is refused costs a pass over its text and no memory beside it. What is taken
// costs at most 256 bytes a value and twice the bytes of its text (128 MiB and 16 MiB by default),
// and can be copied, compared and printed, each of which takes a call for every level.
struct JsonLimits {
    std::size_t bytes = 8u << 20;  // of its text
    std::size_t depth = 100;       // arrays and objects within each other
    std::size_t values = 500'000;  // of any kind, the members' names not counted
    // Of one object. One that keeps its order finds a member by going through them all.
    std::size_t members = 2'000;
};

// The only parser of the house for JSON (tests/house/json_test.cpp). nullopt: it is not JSON (RFC
// 8259, UTF-8), or beyond the limits. Of members with one name the last one counts.
std::optional<nlohmann::json> parse_json(std::string_view text, const JsonLimits& limits = {});
// As above, with the members in the order in which they stand.
std::optional<nlohmann::ordered_json> parse_ordered_json(std::string_view text,
                                                         const JsonLimits& limits = {});

// The same of what Python has written, whose NaN and Infinity are null here.
std::optional<nlohmann::json> parse_python_json(std::string_view text,
                                                const JsonLimits& limits = {});
// Why parse_json() does not take it, in words that follow "the answer is …": "not JSON: …", "nested
// too deeply: …", "too large: …", with nothing of the text in them. Empty: it does.
std::string json_fault(std::string_view text, const JsonLimits& limits = {});

// A name that more than one member of the outermost object has, for formats that forbid it.
std::optional<std::string> repeated_member(std::string_view text);

}  // namespace podctl

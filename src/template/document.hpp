#pragma once

#include "diagnostics.hpp"
#include "value.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace podctl::tmpl {

// What a template may cost. Generous for people, and it keeps a hostile file from using up the
// machine.
struct Limits {
    static constexpr std::size_t bytes = 1 << 20;
    static constexpr std::size_t depth = 64;
    // What aliases repeat counts each time.
    static constexpr std::size_t nodes = 100'000;
    static constexpr std::size_t text = 16 << 20;
};

enum class Lines { keep, none };

// Reads one YAML document. Duplicate keys, complex keys and the like are added to `diagnostics`;
// nullopt (and a diagnostic) when it cannot be read at all. Lines::none: places get no line, as for
// --set.
std::optional<Value> parse_document(std::string_view text,
                                    const std::shared_ptr<const std::string>& file, Lines lines,
                                    Diagnostics& diagnostics);

}  // namespace podctl::tmpl

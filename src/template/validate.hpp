#pragma once

#include "podctl/base/units.hpp"

#include "diagnostics.hpp"
#include "formats.hpp"
#include "table.hpp"
#include "value.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace podctl::tmpl {

// How scalars of the kinds are read; the binder uses the same. nullopt: not of that kind.
std::optional<std::int64_t> read_integer(std::string_view text);
std::optional<bool> read_boolean(std::string_view text);
std::optional<Bytes> read_size(std::string_view text);
std::optional<std::chrono::milliseconds> read_duration(std::string_view text);

// The mount that the template gives, or the default one where it gives none that is usable.
PathContext path_context(const Value& root);

// Holds a tree against the table: kinds, formats, ranges, required, unknown and exclusive keys.
void validate(Value& root, const PathContext& context, Diagnostics& diagnostics,
              const Shape& shape = template_shape());

}  // namespace podctl::tmpl

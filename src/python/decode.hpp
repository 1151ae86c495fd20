#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace podctl::python {

// The text of a requirements file as UTF-8. As pip does it: a byte order mark decides, then UTF-8;
// bytes that are neither are taken as Latin-1, since they stand in comments. nullopt: no text (NUL
// bytes, a surrogate without its half).
std::optional<std::string> decode_text(std::string_view bytes);

}  // namespace podctl::python

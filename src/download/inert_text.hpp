#pragma once

#include "file_bytes.hpp"

#include <stop_token>

namespace podctl::download {

enum class TextLook {
    none,         // binary
    text,         // UTF-8, or UTF-16 with its mark: no control characters but white space and ESC
    other_text,   // the same in a one-byte encoding
    yaml_objects  // YAML that makes a loader that is not a safe one call Python
};

enum class TextKind { plain, yaml };

// Looks at the whole file. Throws Error{io | interrupted}.
TextLook look_for_text(const FileBytes& file, TextKind kind, const std::stop_token& stop);

}  // namespace podctl::download

// The options below a URL in an input list of aria2 (aria2c(1), "Input File"): `  dir=loras`.
#pragma once

#include "podctl/hub/batch.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace podctl::hub {

struct BatchOption {
    std::string name = {};   // aria2's, lower case
    std::string value = {};  // trimmed
};

// Of an indented line; nullopt: it is no option, as it holds a source, say.
std::optional<BatchOption> read_option(std::string_view line);

// What is wrong with a line; not an Error yet, since all are told together.
struct Wrong {
    std::string message, hint;
};

// Puts `dir`, `out` and `checksum` into the entry. What only says how aria2 transfers is passed
// over. Throws Wrong for any other: what it asks for would not be done.
void apply_option(const BatchOption& option, BatchEntry& entry);

}  // namespace podctl::hub

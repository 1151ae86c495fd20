#pragma once

#include <cstdint>
#include <string>

namespace podctl::fetch {

// Throws Error{integrity} that says what is wrong with the model `name`.
[[noreturn]] void refuse_model(const std::string& name, const std::string& what);

// `text` is the JSON header, `data` the number of bytes that follow it in the file. Throws as
// refuse_model().
void check_safetensors_header(const std::string& name, const std::string& text, std::uint64_t data);

}  // namespace podctl::fetch

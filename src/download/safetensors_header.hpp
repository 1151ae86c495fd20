#pragma once

#include <cstdint>
#include <string>

namespace podctl::download {

// The format allows 100 MB, of which reading takes half a minute and half a GB. Hugging Face's own
// tools read no larger one than this (SAFETENSORS_MAX_HEADER_LENGTH of huggingface_hub), and those
// of the largest models and of adapters with all their training notes have a few MB.
inline constexpr std::uint64_t max_safetensors_header = 25'000'000;

// Throws Error{integrity} that says what is wrong with the model `name`.
[[noreturn]] void refuse_model(const std::string& name, const std::string& what);

// `text` is the JSON header, `data` the number of bytes that follow it in the file. Throws as
// refuse_model().
void check_safetensors_header(const std::string& name, const std::string& text, std::uint64_t data);

}  // namespace podctl::download

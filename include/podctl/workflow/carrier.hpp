#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// Pictures, films, sounds and models that ComfyUI has made carry the workflow that made them. Where
// in each format: docs/workflows.md.
namespace podctl::workflow {

// Bytes that are read at any place: of a file, however large, or of a text.
struct ByteSource {
    std::uint64_t size = 0;
    // Fills `buffer` from `offset` on, and returns how many bytes came: fewer where they end.
    std::function<std::size_t(std::uint64_t offset, std::span<char> buffer)> read;
};

// `text` must outlive it.
ByteSource bytes_of(std::string_view text);

struct CarriedWorkflow {
    std::string carrier;           // the format, for messages: "PNG"
    std::string workflow, prompt;  // JSON of the UI and the API format; empty: it carries none
    // Why not all of the file could be read, in words that follow "it"; empty: it could.
    std::string fault = {};
};

// Looks into a file that anybody may have made. Of a large one only what leads to the texts is
// read, and of a hostile one no more than 512 MiB. nullopt: by its first bytes it is of no format
// that is known to carry a workflow; JSON is none of them. Throws only what `bytes` throws.
std::optional<CarriedWorkflow> find_carried(const ByteSource& bytes);

}  // namespace podctl::workflow

#pragma once

#include "podctl/download/inert.hpp"

#include "file_bytes.hpp"

#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::download {

// One row of docs/models-trust.md: what is known to hold data alone.
struct InertFormat {
    std::string_view name = {};                      // "a safetensors file"
    std::vector<std::string_view> extensions = {};   // that a file of it may have, and no other may
    bool (*is_it)(const FileBytes& file) = nullptr;  // by the content
    // A mark of two or four common bytes tells little, so the name has to say it too.
    enum class Mark { certain, weak } mark = Mark::certain;
};

inline constexpr std::string_view mac_notes = "what macOS notes of a file or a folder";
inline constexpr std::string_view tensorflow_lite = "a TensorFlow Lite model";

// Every format but text and archives, in the order in which they are asked.
const std::vector<InertFormat>& inert_formats();

// Extensions of text files, which hold nothing else.
const std::vector<std::string_view>& text_extensions();

// Of zip and tar archives and compressed files, whose members are judged one by one.
const std::vector<std::string_view>& archive_extensions();

// In small letters, with its dot, of the name as it would be written to a disk; empty: none.
std::string extension_of(std::string_view name);

// The verdict on what is not known to be inert.
Verdict unknown(std::string what);

}  // namespace podctl::download

#pragma once

#include <cstdint>
#include <filesystem>

namespace podctl::test {

// How many bytes of the file are in the page cache (mincore(2)).
std::uint64_t bytes_in_memory(const std::filesystem::path& file);

}  // namespace podctl::test

#pragma once

#include <cstdint>
#include <string_view>

namespace podctl {

// The unsigned number that these bytes are, at most eight of them; the most significant first.
constexpr std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char byte : bytes)
        value = value << 8 | static_cast<unsigned char>(byte);
    return value;
}

// The same, the least significant first.
constexpr std::uint64_t little_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte)
        value = value << 8 | static_cast<unsigned char>(*byte);
    return value;
}

}  // namespace podctl

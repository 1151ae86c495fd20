#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace podctl {

// A number of bytes.
struct Bytes {
    std::uint64_t count = 0;

    friend auto operator<=>(Bytes, Bytes) = default;
    friend Bytes operator+(Bytes a, Bytes b) { return {a.count + b.count}; }
};

// "100GB" (10^9), "512MiB" (2^20), "1.5GB", "42" (bytes); units B, KB…TB and KiB…TiB, any case, an
// optional space before the unit. nullopt: not a size, negative, or too large for 64 bits.
std::optional<Bytes> parse_bytes(std::string_view text);
// "6.9 GB", "512 B": decimal units, as disks and download sizes are given.
std::string format_bytes(Bytes bytes);

// "90s", "2m", "1h30m", "500ms". nullopt: not a duration, or negative.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
// "450ms", "12.3s", "3m05s", "1h02m".
std::string format_duration(std::chrono::milliseconds duration);

}  // namespace podctl

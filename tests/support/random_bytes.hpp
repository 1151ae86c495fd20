#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <string>

namespace podctl::test {

// Bytes that depend on `seed` and that nothing compresses.
inline std::string random_bytes(std::size_t size, unsigned seed) {
    std::mt19937_64 random(seed);
    std::string bytes(size + 8, '\0');
    for (std::size_t i = 0; i < size; i += 8) {
        const std::uint64_t word = random();
        std::memcpy(bytes.data() + i, &word, sizeof word);
    }
    bytes.resize(size);
    return bytes;
}

}  // namespace podctl::test

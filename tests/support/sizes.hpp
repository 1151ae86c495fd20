#pragma once

#include <cstddef>

namespace podctl::test {

inline constexpr std::size_t MiB = 1 << 20;

}  // namespace podctl::test

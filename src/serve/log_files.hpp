#pragma once

#include <cstddef>

namespace podctl::serve {

constexpr std::size_t max_log_size = 10u << 20;
constexpr std::size_t old_logs = 2;  // beside the current one
// A time stamp and the space behind it: "2026-01-31T12:00:00.123Z ".
constexpr std::size_t stamp_size = 25;

}  // namespace podctl::serve

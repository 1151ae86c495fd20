#pragma once

#include <cstddef>
#include <cstdint>

namespace podctl::git {

// Hosts of git take files of 100 MiB at most; a few packs have models of some hundred in them.
constexpr std::uint64_t largest_blob = 512u << 20;

// libgit2 holds an object in memory as a whole, however small the pack is that it comes from. What
// needs more than this at once fails as if there were no memory left.
constexpr std::size_t largest_allocation = 640u << 20;

}  // namespace podctl::git

#pragma once

#include "podctl/machine/machine.hpp"

#include <filesystem>

namespace podctl::machine {

// With another table of mounts than /proc/self/mountinfo.
Root inspect_root(const std::filesystem::path& root, const std::filesystem::path& mountinfo);

}  // namespace podctl::machine

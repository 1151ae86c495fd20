#pragma once

#include "podctl/machine/machine.hpp"

#include <filesystem>

namespace podctl::machine {

// Of the file system that an existing path is on.
Reach reach_of(const std::filesystem::path& path);

}  // namespace podctl::machine

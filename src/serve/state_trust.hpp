#pragma once

#include "podctl/base/fd.hpp"

#include <filesystem>

namespace podctl::serve {

// check_state() of a folder that is open already.
void check_state_folder(const Fd& folder, const std::filesystem::path& state);

}  // namespace podctl::serve

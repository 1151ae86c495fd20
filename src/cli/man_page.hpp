#pragma once

#include "command_tree.hpp"

#include <string>

namespace podctl::cli {

// The manual page, section 1, in man(7)'s macros.
std::string man_page(const CommandTree& tree, const std::string& version);

}  // namespace podctl::cli

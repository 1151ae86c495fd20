#pragma once

#include "command_tree.hpp"

#include <string>

namespace podctl::cli {

// Scripts that complete the command line, to be sourced (bash 4 and newer, fish 3) or put into
// $fpath (zsh, which can source it, too).
std::string bash_completion(const CommandTree& tree);
std::string zsh_completion(const CommandTree& tree);
std::string fish_completion(const CommandTree& tree);

}  // namespace podctl::cli

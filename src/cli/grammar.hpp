#pragma once

#include "podctl/base/error.hpp"

#include <string>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

// What a command line may look like besides what its commands declare, as users of git, docker and
// kubectl write it.
namespace podctl::cli {

// The arguments, with `help COMMAND`, `help`, `version` and nothing at all as the flags that mean
// the same.
std::vector<std::string> usual_words(int argc, char** argv);

// Every long option of every command is also $PODCTL_OPTION, which the command line wins over.
void read_options_from_environment(CLI::App& app);

// Whether errors are to be JSON, which is asked before anything is understood.
bool asks_for_json(const std::vector<std::string>& words);

// What CLI11 could not understand: the word that nobody knows comes first, and what it may have
// been meant for.
Error usage_error(const CLI::App& app, const std::string& otherwise);

}  // namespace podctl::cli

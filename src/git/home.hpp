#pragma once

#include <filesystem>

namespace podctl::git {

// Where `.ssh` of the user is: below $HOME, or below the home that the machine's list of users
// gives (as OpenSSH has it) where $HOME is unset or not there. Empty: neither is there.
std::filesystem::path home_of_ssh();

}  // namespace podctl::git

#pragma once

#include <sys/types.h>

#include <filesystem>

namespace podctl {

// $HOME, or the home that the machine's list of users gives (as OpenSSH has it) where $HOME is
// unset or not there, as in a container's entrypoint. Empty: neither is there.
std::filesystem::path home_folder();
// Of another user, by that list.
std::filesystem::path home_of(uid_t user);

}  // namespace podctl

#pragma once

#include "../context.hpp"

#include <filesystem>
#include <string>

namespace podctl::run {

// Who else owns what stands at `path` in the root (a checkout, a pack) and can change what podctl
// runs: "nobody (uid 65534)". Empty: nothing is there, or it is this user's, root's, or (under
// sudo) the caller's, as git has it (safe.directory); or nobody but this user could have put it
// there, since the root and every folder down to it are closed to others: a copy that kept its
// owners.
std::string other_owner(const std::filesystem::path& path, const plan::Places& places);

// Where other_owner() names somebody: moves it aside by force, else throws Error{conflict}.
void clear_other_owners(const std::filesystem::path& path, const Task& task);

}  // namespace podctl::run

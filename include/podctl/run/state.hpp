#pragma once

#include "podctl/plan/plan.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace podctl::run {

// Makes `state` (<root>/.podctl, or the pod's own folder) a folder of this user's alone (0700,
// whatever the umask), and holds on to it: whatever comes to stand at its path later, this
// process's state lies in the folder that was checked. To be called before anything is read or
// written there.
//
// What another user made, or might have written to, is not used: it is moved aside and made anew,
// which costs a verification. A folder that only this user could write to, as earlier versions made
// it, is closed to others and kept. Returns what the user should know of it, a sentence each.
// Throws Error{preflight} when the root cannot be had, Error{conflict} when what stands there
// cannot be moved aside, Error{io}.
std::vector<std::string> claim_state(const std::filesystem::path& state);
// The same of the pod's own folder, which may be the state folder.
std::vector<std::string> claim_own_folder(const plan::Places& places);

}  // namespace podctl::run

#pragma once

#include "session.hpp"

#include <string>

namespace podctl::git {

// Names the files of a checkout whose content Git LFS keeps elsewhere: they came as pointers of
// three lines, which break later and far away.
void tell_about_lfs(const Session& session, git_repository* repository, const std::string& shown);

}  // namespace podctl::git

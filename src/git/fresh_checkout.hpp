#pragma once

#include "session.hpp"

#include <string>

namespace podctl::git {

// Makes the work tree and the index of a repository that has neither yet, and that nobody else
// knows of, those of `commit`. Files are written by several threads, each with the repository for
// itself: on a network volume, where a new file takes milliseconds, that is what a clone waits for.
// Throws what check_out() throws.
void check_out_fresh(Session& session, git_repository* repository, const std::string& commit);

}  // namespace podctl::git

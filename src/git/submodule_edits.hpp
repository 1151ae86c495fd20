#pragma once

#include "handles.hpp"

#include <set>
#include <string>
#include <vector>

// What somebody did by hand to a checkout's submodules, which move only after it did.
namespace podctl::git {

// Submodules that stand where the user alone can have brought them, and files that are modified in
// the others, by their paths in the superproject. Not his: the commit that HEAD's own records, one
// that a killed update's does, and one to which a killed update was moving the submodule.
std::vector<std::string> edits_in_submodules(git_repository* repository);

// A folder that is the work tree of a submodule: what is in it is looked at there.
bool is_submodule(git_repository* repository, const std::string& path);

// Throws Error{conflict} where a move of the superproject to `commit` would take a submodule away
// from what was done in it by hand. Those with edits that need not move are returned: they are to
// be left alone.
std::set<std::string> require_unedited_submodules(git_repository* repository,
                                                  const std::string& commit);

}  // namespace podctl::git

#pragma once

#include "handles.hpp"

namespace podctl::git {

enum class WorkTree { none_yet, there };

// What a commit holds can be checked out: trees that end, files that fit into memory (libgit2 reads
// each as a whole), and rules (.gitignore and its kin) that are files of the commit, not links to
// whatever stands on this machine. Throws Error{git}; Error{conflict} where a pipe or its like
// stands in the place of one of its files, where there is a work tree.
void require_plain_tree(git_repository* repository, const git_commit* commit,
                        WorkTree work_tree = WorkTree::there);

}  // namespace podctl::git

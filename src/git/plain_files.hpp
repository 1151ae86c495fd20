#pragma once

#include "handles.hpp"

#include <filesystem>

// libgit2 opens what it reads without a look at what it is. A pipe hangs it there for ever, out of
// reach of a stop; a device feeds it without end. So somebody looks first.
namespace podctl::git {

// Every file that git keeps for the checkout or bare repository at `path` is a regular one, of a
// size that can be read, links followed; what its configuration and alternates name, too. To be
// called before libgit2 opens it. Throws Error{git}. Nothing there is fine.
void require_plain_repository(const std::filesystem::path& path);

// The same of the rules (.gitignore and its kin) in the folders that the index names: what a status
// reads.
void require_plain_rules(git_repository* repository);

// The same of the rules in every folder of the work tree: what a checkout reads.
void require_plain_work_tree(git_repository* repository);

}  // namespace podctl::git

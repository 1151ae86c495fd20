#pragma once

#include "podctl/base/error.hpp"

#include "handles.hpp"

#include <filesystem>
#include <set>
#include <string>
#include <vector>

// What somebody did by hand to a checkout, and what an update may do in spite of it.
namespace podctl::git {

// Tracked files that differ from HEAD as git compares them (attributes, line ends, modes),
// submodules that stand at another commit included, and what is modified in them. Untracked files
// do not count, nor what a checkout left: of HEAD, which git itself calls modified where a commit
// has other line ends than its attributes say, or of an update that was killed.
std::vector<std::string> modified_files(git_repository* repository);

// Everything at which `commit` is not as HEAD. Empty while there is no HEAD.
std::set<std::string> paths_to_move(git_repository* repository, const std::string& commit);

// Throws Error{conflict} where a move to `commit`, which writes `paths`, would overwrite what was
// done by hand. What is already as that commit has it does no harm.
void require_unedited(git_repository* repository, const std::set<std::string>& paths,
                      const std::string& commit);

// Throws Error{conflict} where something of somebody stands in the way of `paths` in another kind:
// a file or a link where `commit` has a folder, or a folder with files of his where it has a file.
void require_room(git_repository* repository, const std::set<std::string>& paths,
                  const std::string& commit);

// Of a folder at `path`: everything in it but folders, by the paths from `workdir` on. Nothing
// where it is no folder.
std::vector<std::string> files_below(const std::filesystem::path& workdir, const std::string& path);

// An error's list of files: at most five of them.
Error edited_error(const std::filesystem::path& checkout, const std::string& commit,
                   const std::vector<std::string>& files);

}  // namespace podctl::git

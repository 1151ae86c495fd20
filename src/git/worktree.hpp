#pragma once

#include "pending_update.hpp"
#include "session.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace podctl::git {

RepositoryHandle open_repository(const std::filesystem::path& checkout);

CommitHandle lookup_commit(git_repository* repository, const std::string& commit);

// Makes the work tree and the index those of `commit`, keeping untracked files and refusing to
// touch modified ones: Error{conflict} that names them. HEAD stays.
void check_out(Session& session, git_repository* repository, const std::string& commit);

// As check_out, with the note for the case that it is killed.
void move_work_tree(Session& session, git_repository* repository, const std::string& commit,
                    UpdateNote& note);

enum class Upstream { no, yes };

// HEAD at a local branch that is (made) at `commit`, or detached where `branch` is empty.
void point_head(git_repository* repository, const std::string& commit, const std::string& branch,
                Upstream upstream);

// Tracked files that differ from HEAD, submodules that stand at another commit included, and what
// is modified in them; untracked files do not count, nor do files that an update left half-way.
std::vector<std::string> modified_files(git_repository* repository);

// An error's list of files: at most five of them.
Error modified_error(const std::filesystem::path& checkout, const std::vector<std::string>& files);

}  // namespace podctl::git

#pragma once

#include "pending_update.hpp"
#include "session.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace podctl::git {

RepositoryHandle open_repository(const std::filesystem::path& checkout);

// Where the index has submodules: the commit of each, by its path.
std::map<std::string, std::string> read_gitlinks(git_repository* superproject);
// The same of a commit's tree.
std::map<std::string, std::string> read_gitlinks(const git_tree* tree);

CommitHandle lookup_commit(git_repository* repository, const std::string& commit);
// Empty: the repository has no such commit, or the text is none.
CommitHandle find_commit(git_repository* repository, const std::string& commit);
// Empty: it has none, or the history is cut there. `where` is for the error.
CommitHandle first_parent(const git_commit* commit, std::string_view where);
TreeHandle tree_of(git_repository* repository, const std::string& commit);

// What stands in the work tree before a checkout.
enum class Before {
    head,     // what HEAD has, and what somebody made of it
    nothing,  // of a submodule whose repository was kept: whatever HEAD says
};

// Makes the work tree and the index those of `commit`, keeping untracked files and what was changed
// by hand; where `commit` changes the same files, it is Error{conflict} that names them. HEAD
// stays.
void check_out(Session& session, git_repository* repository, const std::string& commit,
               Before before = Before::head);

// As check_out, with the note for the case that it is killed.
void move_work_tree(Session& session, git_repository* repository, const std::string& commit,
                    UpdateNote& note, Before before = Before::head);

enum class Upstream { no, yes };

// HEAD at a local branch that is (made) at `commit`, or detached where `branch` is empty.
void point_head(git_repository* repository, const std::string& commit, const std::string& branch,
                Upstream upstream);

}  // namespace podctl::git

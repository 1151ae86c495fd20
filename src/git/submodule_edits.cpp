#include "submodule_edits.hpp"

#include "podctl/git/git.hpp"

#include "edits.hpp"
#include "library.hpp"
#include "pending_update.hpp"
#include "worktree.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

// What somebody commits by hand between two updates is less. A history may be long.
constexpr int most_commits_of_a_user = 1'000;

constexpr const char* submodule_hint =
    "commit, stash or move away these changes (git status lists them; a submodule's own commits go "
    "on a branch there, then `git submodule update` takes it back), or run with --force";

// The commit at which a tree has a submodule; empty: it has none there.
std::string link_in(const git_tree* tree, const std::string& path) {
    const auto entry = find<TreeEntryHandle>(path, git_tree_entry_bypath, tree, path.c_str());
    if (!entry || git_tree_entry_filemode(entry.get()) != GIT_FILEMODE_COMMIT) return {};
    return git_oid_tostr_s(git_tree_entry_id(entry.get()));
}

// By whose word podctl may have moved the submodules: HEAD's, and that of updates that were killed.
// The index is nobody's word. A killed update may have written it, and so does `git add`.
class Superprojects {
public:
    explicit Superprojects(git_repository* repository) {
        for (const auto& [path, link] : read_gitlinks(repository))
            paths_.insert(path);
        if (const auto head = read_head(git_repository_workdir(repository))) {
            trees_.push_back(tree_of(repository, head->commit));
            for (const auto& [path, link] : read_gitlinks(trees_.back().get()))
                paths_.insert(path);
        }
        for (const auto& commit : PendingUpdate(repository).commits())
            // One that is gone is told by whoever moves files.
            if (find_commit(repository, commit)) trees_.push_back(tree_of(repository, commit));
    }

    const std::set<std::string>& paths() const { return paths_; }
    // An empty text among them: one has no such submodule.
    std::set<std::string> commits_of(const std::string& path) const {
        std::set<std::string> commits;
        for (const auto& tree : trees_)
            commits.insert(link_in(tree.get(), path));
        return commits;
    }

private:
    std::vector<TreeHandle> trees_;
    std::set<std::string> paths_;
};

// A submodule in which something was done by hand.
struct EditedSubmodule {
    std::string path;                     // in its superproject
    std::string head;                     // where it stands
    bool moved = false;                   // where nobody but the user can have brought it
    std::vector<std::string> files = {};  // as modified_files() has them, within it
};

// Where the superproject is to go next, a submodule may stand already; nullptr: nowhere.
// What libgit2 calls a submodule with untracked files is modified too, so they are looked at one by
// one.
std::vector<EditedSubmodule> edited_submodules(git_repository* repository,
                                               const Superprojects& superprojects,
                                               const git_tree* next) {
    const fs::path workdir = git_repository_workdir(repository);
    std::vector<EditedSubmodule> edited;
    for (const auto& path : superprojects.paths()) {
        const auto head = read_head(workdir / path);
        if (!head) continue;
        EditedSubmodule submodule{.path = path, .head = head->commit};
        auto known = superprojects.commits_of(path);
        if (next != nullptr) known.insert(link_in(next, path));
        if (const auto opened = open_repository(workdir / path)) {
            for (auto& commit : PendingUpdate(opened.get()).commits())
                known.insert(std::move(commit));
            submodule.files = modified_files(opened.get());
        }
        submodule.moved = !known.contains(head->commit);
        if (submodule.moved || !submodule.files.empty()) edited.push_back(std::move(submodule));
    }
    return edited;
}

void add_edits(const EditedSubmodule& submodule, std::vector<std::string>& edits) {
    if (submodule.moved)
        edits.push_back(fmt::format("{} (at {})", submodule.path, submodule.head.substr(0, 10)));
    for (const auto& file : submodule.files)
        edits.push_back(submodule.path + "/" + file);
}

// Of the commits of a submodule that superprojects name, the one from which its HEAD went on;
// empty: none of them.
std::string last_named(const fs::path& submodule, const std::string& head,
                       const std::set<std::string>& named) {
    const auto repository = open_repository(submodule);
    if (!repository) return {};
    CommitHandle commit = find_commit(repository.get(), head);
    for (int i = 0; commit && i < most_commits_of_a_user; ++i) {
        const std::string id = git_oid_tostr_s(git_commit_id(commit.get()));
        if (named.contains(id)) return id;
        commit = first_parent(commit.get(), id);
    }
    return {};
}

// Whether a submodule needs not move for its superproject to have it at `link`: nothing moves it at
// all, or it has all of that commit and what the user added. A killed update may have brought it
// there before he went on.
bool may_stay(const fs::path& workdir, const EditedSubmodule& submodule,
              std::set<std::string> named, const std::string& link) {
    named.insert(link);
    if (named.size() == 1) return true;
    return !link.empty() && last_named(workdir / submodule.path, submodule.head, named) == link;
}

// Those in a submodule that no commit brought, but for what Python makes as it goes.
std::vector<std::string> untracked_files(git_repository* superproject, const std::string& path) {
    const fs::path workdir = git_repository_workdir(superproject);
    const auto submodule = open_repository(workdir / path);
    if (!submodule) return {};
    const auto index = make<IndexHandle>(git_repository_path(submodule.get()), git_repository_index,
                                         submodule.get());
    std::vector<std::string> untracked;
    for (auto& file : files_below(workdir, path)) {
        const std::string within = file.substr(path.size() + 1);
        const bool is_made = within.starts_with(".git") || file.find("__pycache__/") != file.npos;
        if (!is_made && git_index_get_bypath(index.get(), within.c_str(), 0) == nullptr)
            untracked.push_back(std::move(file));
    }
    return untracked;
}

}  // namespace

std::vector<std::string> edits_in_submodules(git_repository* repository) {
    std::vector<std::string> edits;
    for (const auto& submodule : edited_submodules(repository, Superprojects{repository}, nullptr))
        add_edits(submodule, edits);
    return edits;
}

bool is_submodule(git_repository* repository, const std::string& path) {
    const fs::path folder = fs::path(git_repository_workdir(repository)) / path;
    std::error_code failed;
    return fs::is_directory(fs::symlink_status(folder, failed)) &&
           fs::is_regular_file(fs::symlink_status(folder / ".git", failed));
}

std::set<std::string> require_unedited_submodules(git_repository* repository,
                                                  const std::string& commit) {
    const fs::path workdir = git_repository_workdir(repository);
    const auto tree = tree_of(repository, commit);
    const Superprojects superprojects{repository};
    std::set<std::string> left_alone;
    std::vector<std::string> conflicts;
    for (const auto& submodule : edited_submodules(repository, superprojects, tree.get())) {
        const auto link = link_in(tree.get(), submodule.path);
        if (may_stay(workdir, submodule, superprojects.commits_of(submodule.path), link))
            left_alone.insert(submodule.path);
        else
            add_edits(submodule, conflicts);
    }
    // With its folder goes all that is in it.
    for (const auto& [path, link] : read_gitlinks(repository))
        if (link_in(tree.get(), path).empty() && !left_alone.contains(path))
            for (auto& file : untracked_files(repository, path))
                conflicts.push_back(std::move(file));
    if (conflicts.empty()) return left_alone;
    const auto error = edited_error(workdir, commit, conflicts);
    throw Error{error.kind(), error.message(), submodule_hint};
}

}  // namespace podctl::git

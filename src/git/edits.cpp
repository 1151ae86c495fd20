#include "edits.hpp"

#include "podctl/base/shorten.hpp"
#include "podctl/git/git.hpp"

#include "library.hpp"
#include "pending_update.hpp"
#include "plain_files.hpp"
#include "submodule_edits.hpp"
#include "worktree.hpp"

#include <fmt/format.h>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_files_named = 5;

// Staged changes are the user's, whatever the work tree has; so is another mode.
bool may_be_left_by_checkout(const git_status_entry& entry) {
    if (entry.head_to_index != nullptr || entry.status != GIT_STATUS_WT_MODIFIED) return false;
    return entry.index_to_workdir->old_file.mode == entry.index_to_workdir->new_file.mode;
}

// Of all files, or of those `among` alone: one that Git LFS keeps may be large, and is hashed.
std::vector<std::string> own_modified_files(git_repository* repository,
                                            const std::set<std::string>* among = nullptr) {
    const auto pending = PendingUpdate(repository).commits();
    require_plain_rules(repository);
    git_status_options options = GIT_STATUS_OPTIONS_INIT;
    options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR;
    options.flags = GIT_STATUS_OPT_EXCLUDE_SUBMODULES;
    const auto list =
        make<StatusListHandle>(git_repository_workdir(repository), git_status_list_new, repository,
                               static_cast<const git_status_options*>(&options));
    std::vector<std::string> files;
    for (std::size_t i = 0; i < git_status_list_entrycount(list.get()); ++i) {
        const git_status_entry& entry = *git_status_byindex(list.get(), i);
        if (entry.status == GIT_STATUS_CURRENT || entry.status == GIT_STATUS_IGNORED) continue;
        const git_diff_delta* delta =
            entry.index_to_workdir != nullptr ? entry.index_to_workdir : entry.head_to_index;
        const std::string path = delta->old_file.path;
        if (among != nullptr && !among->contains(path)) continue;
        if (is_left_by_killed_checkout(repository, pending, path)) continue;
        if (may_be_left_by_checkout(entry) && is_as_checked_out(repository, "HEAD", path)) continue;
        files.push_back(path);
    }
    return files;
}

// Those of HEAD that the index still has: what is in them, require_unedited_submodules looks at.
std::set<std::string> committed_submodules(git_repository* repository) {
    const auto head = read_head(git_repository_workdir(repository));
    if (!head) return {};
    const auto staged = read_gitlinks(repository);
    std::set<std::string> paths;
    for (const auto& [path, link] : read_gitlinks(tree_of(repository, head->commit).get()))
        if (staged.contains(path)) paths.insert(path);
    return paths;
}

bool is_no_folder(const fs::path& path) {
    std::error_code failed;
    const auto status = fs::symlink_status(path, failed);
    return fs::exists(status) && !fs::is_directory(status);
}

}  // namespace

std::vector<std::string> modified_files(git_repository* repository) {
    auto files = own_modified_files(repository);
    for (auto& edit : edits_in_submodules(repository))
        files.push_back(std::move(edit));
    return files;
}

std::set<std::string> paths_to_move(git_repository* repository, const std::string& commit) {
    const auto head = read_head(git_repository_workdir(repository));
    if (!head) return {};
    const auto before = tree_of(repository, head->commit), after = tree_of(repository, commit);
    const auto diff =
        make<DiffHandle>(git_repository_workdir(repository), git_diff_tree_to_tree, repository,
                         before.get(), after.get(), static_cast<const git_diff_options*>(nullptr));
    std::set<std::string> paths;
    for (std::size_t i = 0; i < git_diff_num_deltas(diff.get()); ++i) {
        const git_diff_delta& delta = *git_diff_get_delta(diff.get(), i);
        paths.insert({delta.old_file.path, delta.new_file.path});
    }
    return paths;
}

void require_unedited(git_repository* repository, const std::set<std::string>& paths,
                      const std::string& commit) {
    if (paths.empty()) return;
    std::vector<std::string> conflicts;
    for (const auto& file : own_modified_files(repository, &paths))
        if (!is_as_checked_out(repository, commit, file)) conflicts.push_back(file);
    if (!conflicts.empty())
        throw edited_error(git_repository_workdir(repository), commit, conflicts);
}

std::vector<std::string> files_below(const fs::path& workdir, const std::string& path) {
    std::vector<std::string> files = {};
    std::error_code failed;
    if (!fs::is_directory(fs::symlink_status(workdir / path, failed))) return files;
    for (fs::recursive_directory_iterator at{workdir / path, failed}, end; !failed && at != end;
         at.increment(failed))
        if (at->is_symlink() || !at->is_directory())
            files.push_back(at->path().lexically_relative(workdir).string());
    return files;
}

void require_room(git_repository* repository, const std::set<std::string>& paths,
                  const std::string& commit) {
    const fs::path workdir = git_repository_workdir(repository);
    const auto tree = tree_of(repository, commit);
    const auto committed = committed_submodules(repository);
    std::set<std::string> in_the_way;
    for (const auto& path : paths) {
        const auto entry =
            find<TreeEntryHandle>(path, git_tree_entry_bypath, tree.get(), path.c_str());
        if (!entry) continue;
        for (fs::path above = fs::path{path}.parent_path(); !above.empty();
             above = above.parent_path())
            if (is_no_folder(workdir / above) && !paths.contains(above.string()))
                in_the_way.insert(above.string());
        if (git_tree_entry_filemode(entry.get()) == GIT_FILEMODE_COMMIT ||
            (committed.contains(path) && is_submodule(repository, path)))
            continue;
        for (const auto& file : files_below(workdir, path))
            if (!paths.contains(file)) in_the_way.insert(file);
    }
    if (!in_the_way.empty())
        throw edited_error(workdir, commit, {in_the_way.begin(), in_the_way.end()});
}

Error edited_error(const fs::path& checkout, const std::string& commit,
                   const std::vector<std::string>& files) {
    return Error{
        ErrorKind::conflict,
        fmt::format("{}: cannot move to {}, which would overwrite what was changed here by "
                    "hand: {}",
                    checkout.string(), commit.substr(0, 10), list_first(files, most_files_named)),
        "commit, stash or remove these changes (git status lists them), or run with "
        "--force"};
}

}  // namespace podctl::git

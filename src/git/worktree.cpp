#include "worktree.hpp"

#include "plain_files.hpp"
#include "plain_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_files_named = 5;

std::string join_some(const std::vector<std::string>& files) {
    std::string text;
    for (std::size_t i = 0; i < std::min(files.size(), most_files_named); ++i)
        text += (i == 0 ? "" : ", ") + files[i];
    if (files.size() > most_files_named)
        text += fmt::format(" and {} more", files.size() - most_files_named);
    return text;
}

// What libgit2 calls a submodule with untracked files is modified too, so they are looked at one by
// one.
void add_modified_submodules(git_repository* repository, bool moved_count,
                             std::vector<std::string>& files) {
    const fs::path workdir = git_repository_workdir(repository);
    const auto index = make<IndexHandle>(workdir.string(), git_repository_index, repository);
    for (std::size_t i = 0; i < git_index_entrycount(index.get()); ++i) {
        const git_index_entry& entry = *git_index_get_byindex(index.get(), i);
        if (entry.mode != GIT_FILEMODE_COMMIT) continue;
        const std::string path = entry.path;
        const auto head = read_head(workdir / path);
        if (!head) continue;
        if (moved_count && head->commit != git_oid_tostr_s(&entry.id)) files.push_back(path);
        const auto submodule = open_repository(workdir / path);
        if (!submodule) continue;
        for (const auto& file : modified_files(submodule.get()))
            files.push_back(path + "/" + file);
    }
}

}  // namespace

RepositoryHandle open_repository(const fs::path& checkout) {
    require_plain_repository(checkout);
    auto repository =
        find<RepositoryHandle>(checkout.string(), git_repository_open_ext, checkout.c_str(),
                               GIT_REPOSITORY_OPEN_NO_SEARCH, static_cast<const char*>(nullptr));
    if (repository && git_repository_is_bare(repository.get()) == 1) return {};
    return repository;
}

CommitHandle lookup_commit(git_repository* repository, const std::string& commit) {
    git_oid id;
    check(git_oid_fromstr(&id, commit.c_str()), commit);
    return make<CommitHandle>("commit " + commit, git_commit_lookup, repository,
                              static_cast<const git_oid*>(&id));
}

void check_out(Session& session, git_repository* repository, const std::string& commit) {
    const std::string where = git_repository_workdir(repository);
    const auto target = lookup_commit(repository, commit);
    const auto* object = reinterpret_cast<const git_object*>(target.get());
    std::set<std::string> conflicts;
    git_checkout_options options = session.checkout_options(conflicts);
    session.stop_if_requested(where);
    require_plain_tree(repository, target.get());
    require_plain_work_tree(repository);
    int code = git_checkout_tree(repository, object, &options);
    const auto pending = PendingUpdate(repository).commits();
    if (code == GIT_ECONFLICT &&
        !std::all_of(conflicts.begin(), conflicts.end(), [&](const auto& path) {
            return is_left_by_checkout(repository, pending, path);
        }))
        throw modified_error(where, {conflicts.begin(), conflicts.end()});
    // Beside this update's own commit there is that of a killed one. libgit2 takes its files for
    // the user's: it reports some and silently keeps others, so all are written anew.
    const bool after_kill = pending.size() > 1;
    if (code == GIT_ECONFLICT || (code == 0 && after_kill)) {
        options.checkout_strategy = GIT_CHECKOUT_FORCE;
        code = git_checkout_tree(repository, object, &options);
    }
    session.check(code, where);
    session.stop_if_requested(where);
}

void move_work_tree(Session& session, git_repository* repository, const std::string& commit,
                    UpdateNote& note) {
    note.moving_to(commit);
    try {
        check_out(session, repository, commit);
    } catch (const Error& error) {
        // A conflict is found before any file is touched.
        if (error.kind() == ErrorKind::conflict) note.take_back();
        throw;
    }
}

void point_head(git_repository* repository, const std::string& commit, const std::string& branch,
                Upstream upstream) {
    const std::string where = git_repository_path(repository);
    git_oid id;
    check(git_oid_fromstr(&id, commit.c_str()), where);
    if (branch.empty()) return check(git_repository_set_head_detached(repository, &id), where);

    const std::string name = "refs/heads/" + branch;
    make<ReferenceHandle>(where, git_reference_create, repository, name.c_str(),
                          static_cast<const git_oid*>(&id), 1, "podctl");
    check(git_repository_set_head(repository, name.c_str()), where);
    if (upstream == Upstream::no) return;
    const auto config = make<ConfigHandle>(where, git_repository_config, repository);
    const std::string key = "branch." + branch;
    check(git_config_set_string(config.get(), (key + ".remote").c_str(), "origin"), where);
    check(git_config_set_string(config.get(), (key + ".merge").c_str(), name.c_str()), where);
}

std::vector<std::string> modified_files(git_repository* repository) {
    require_plain_rules(repository);
    git_status_options options = GIT_STATUS_OPTIONS_INIT;
    options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR;
    options.flags = GIT_STATUS_OPT_EXCLUDE_SUBMODULES;
    const auto list =
        make<StatusListHandle>(git_repository_workdir(repository), git_status_list_new, repository,
                               static_cast<const git_status_options*>(&options));
    const auto pending = PendingUpdate(repository).commits();
    std::vector<std::string> files;
    for (std::size_t i = 0; i < git_status_list_entrycount(list.get()); ++i) {
        const git_status_entry& entry = *git_status_byindex(list.get(), i);
        if (entry.status == GIT_STATUS_CURRENT || entry.status == GIT_STATUS_IGNORED) continue;
        const git_diff_delta* delta =
            entry.index_to_workdir != nullptr ? entry.index_to_workdir : entry.head_to_index;
        const std::string path = delta->old_file.path;
        if (is_left_by_checkout(repository, pending, path)) continue;
        files.push_back(path);
    }
    add_modified_submodules(repository, pending.empty(), files);
    return files;
}

Error modified_error(const fs::path& checkout, const std::vector<std::string>& files) {
    return Error{
        ErrorKind::conflict,
        fmt::format("{}: changed by somebody else: {}", checkout.string(), join_some(files)),
        "commit, stash or remove these changes (git status lists them), or run with --force"};
}

}  // namespace podctl::git

#include "worktree.hpp"

#include "edits.hpp"
#include "plain_files.hpp"
#include "plain_tree.hpp"
#include "submodule_edits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

// What a checkout of `commit` writes, and what killed ones may have written.
std::set<std::string> paths_of_updates(git_repository* repository, const std::string& commit,
                                       const std::vector<std::string>& pending) {
    auto paths = paths_to_move(repository, commit);
    for (const auto& other : pending) {
        if (!find_commit(repository, other))
            throw Error{ErrorKind::conflict,
                        fmt::format("{}: a move to {} was cut short, and that commit is gone",
                                    git_repository_workdir(repository), other.substr(0, 10)),
                        "run with --force, which moves the checkout away and clones it anew"};
        paths.merge(paths_to_move(repository, other));
    }
    return paths;
}

std::map<std::string, std::string> gitlinks_in(git_index* index) {
    std::map<std::string, std::string> links;
    for (std::size_t i = 0; i < git_index_entrycount(index); ++i) {
        const git_index_entry& entry = *git_index_get_byindex(index, i);
        if (entry.mode == GIT_FILEMODE_COMMIT) links[entry.path] = git_oid_tostr_s(&entry.id);
    }
    return links;
}

std::vector<char*> pointers_to(const std::set<std::string>& texts) {
    std::vector<char*> pointers;
    for (const auto& text : texts)
        pointers.push_back(const_cast<char*>(text.c_str()));  // libgit2 only reads them
    return pointers;
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

std::map<std::string, std::string> read_gitlinks(git_repository* superproject) {
    return gitlinks_in(
        make<IndexHandle>(git_repository_path(superproject), git_repository_index, superproject)
            .get());
}

std::map<std::string, std::string> read_gitlinks(const git_tree* tree) {
    const auto index = make<IndexHandle>("a commit's tree", git_index_new);
    check(git_index_read_tree(index.get(), tree), "a commit's tree");
    return gitlinks_in(index.get());
}

CommitHandle lookup_commit(git_repository* repository, const std::string& commit) {
    git_oid id;
    check(git_oid_fromstr(&id, commit.c_str()), commit);
    return make<CommitHandle>("commit " + commit, git_commit_lookup, repository,
                              static_cast<const git_oid*>(&id));
}

CommitHandle find_commit(git_repository* repository, const std::string& commit) {
    git_oid id;
    if (git_oid_fromstr(&id, commit.c_str()) < 0) return {};
    return find<CommitHandle>(commit, git_commit_lookup, repository,
                              static_cast<const git_oid*>(&id));
}

CommitHandle first_parent(const git_commit* commit, std::string_view where) {
    return find<CommitHandle>(
        where, [](git_commit** out, const git_commit* of) { return git_commit_parent(out, of, 0); },
        commit);
}

TreeHandle tree_of(git_repository* repository, const std::string& commit) {
    const auto found = lookup_commit(repository, commit);
    return make<TreeHandle>("commit " + commit, git_commit_tree,
                            static_cast<const git_commit*>(found.get()));
}

void check_out(Session& session, git_repository* repository, const std::string& commit,
               Before before) {
    const std::string where = git_repository_workdir(repository);
    const auto target = lookup_commit(repository, commit);
    const auto* object = reinterpret_cast<const git_object*>(target.get());
    std::set<std::string> conflicts;
    git_checkout_options options = session.checkout_options(conflicts);
    session.stop_if_requested(where);
    require_plain_tree(repository, target.get());
    require_plain_work_tree(repository);
    const auto pending = PendingUpdate(repository).commits();
    const auto nothing = make<IndexHandle>(where, git_index_new);
    std::set<std::string> paths;
    if (before == Before::nothing) {
        options.baseline_index = nothing.get();
    } else {
        paths = paths_of_updates(repository, commit, pending);
        require_unedited(repository, paths, commit);
        require_room(repository, paths, commit);
    }
    int code = git_checkout_tree(repository, object, &options);
    const auto is_nobodys = [&](const std::string& path) {
        return is_left_by_killed_checkout(repository, pending, path) ||
               is_as_checked_out(repository, "HEAD", path) ||
               is_as_checked_out(repository, commit, path) || is_submodule(repository, path);
    };
    if (code == GIT_ECONFLICT && !std::all_of(conflicts.begin(), conflicts.end(), is_nobodys))
        throw edited_error(where, commit, {conflicts.begin(), conflicts.end()});
    // Beside this update's own commit there is that of a killed one. libgit2 takes its files for
    // the user's: it reports some and silently keeps others, so all are written anew. Nothing of
    // his is among them, as was seen above.
    const bool after_kill = pending.size() > 1;
    if (code == GIT_ECONFLICT || (code == 0 && after_kill && !paths.empty())) {
        auto pointers = pointers_to(paths);
        options.paths = {pointers.data(), pointers.size()};
        options.checkout_strategy = GIT_CHECKOUT_FORCE | GIT_CHECKOUT_DISABLE_PATHSPEC_MATCH;
        code = git_checkout_tree(repository, object, &options);
    }
    session.check(code, where);
    session.stop_if_requested(where);
}

void move_work_tree(Session& session, git_repository* repository, const std::string& commit,
                    UpdateNote& note, Before before) {
    note.moving_to(commit);
    try {
        check_out(session, repository, commit, before);
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

}  // namespace podctl::git

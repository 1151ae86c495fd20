#include "podctl/base/sync.hpp"
#include "podctl/git/git.hpp"

#include "cuts.hpp"
#include "lfs.hpp"
#include "location.hpp"
#include "origin.hpp"
#include "pending_update.hpp"
#include "submodule_edits.hpp"
#include "submodules.hpp"
#include "worktree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

git_oid to_oid(const std::string& hex) {
    git_oid id;
    check(git_oid_fromstr(&id, hex.c_str()), hex);
    return id;
}

// Adds every commit of which the server is known to have had it: the remote's branches, the tags,
// and where a cut history begins.
void add_known_tips(git_repository* repository, std::vector<git_oid>& tips) {
    const std::string where = git_repository_path(repository);
    for (const char* pattern : {"refs/remotes/*", "refs/tags/*"}) {
        const auto references = make<ReferenceIteratorHandle>(
            where, git_reference_iterator_glob_new, repository, pattern);
        const char* name = nullptr;
        while (git_reference_next_name(&name, references.get()) == 0) {
            git_object* raw = nullptr;
            const std::string revision = fmt::format("{}^{{commit}}", name);
            const int code = git_revparse_single(&raw, repository, revision.c_str());
            const ObjectHandle commit{raw};
            if (code == 0) tips.push_back(*git_object_id(commit.get()));
        }
    }
    for (const auto& cut : read_cuts(repository))
        tips.push_back(to_oid(cut));
}

// Commits that exist nowhere but here would be lost (or hard to find) when the branch moves on.
void require_no_own_commits(git_repository* repository, const std::string& tip,
                            const std::vector<git_oid>& known, const std::string& what) {
    const git_oid id = to_oid(tip);
    if (std::any_of(known.begin(), known.end(),
                    [&](const git_oid& other) { return git_oid_equal(&other, &id) != 0; }))
        return;
    const int reachable = git_graph_reachable_from_any(repository, &id, known.data(), known.size());
    check(reachable, git_repository_path(repository));
    if (reachable == 1) return;
    throw Error{ErrorKind::conflict,
                fmt::format("{}: {} has commits of its own, the newest {}",
                            git_repository_workdir(repository), what, tip.substr(0, 10)),
                "push them or put them on another branch, or run with --force"};
}

std::optional<std::string> branch_tip(git_repository* repository, const std::string& branch) {
    git_oid id;
    const int code = git_reference_name_to_id(&id, repository, ("refs/heads/" + branch).c_str());
    if (code == GIT_ENOTFOUND) return std::nullopt;
    check(code, git_repository_path(repository));
    return git_oid_tostr_s(&id);
}

RepositoryHandle open_for_update(const UpdateRequest& request) {
    auto repository = open_repository(request.checkout);
    if (!repository)
        throw Error{ErrorKind::git, fmt::format("{}: no git repository", request.checkout.string()),
                    "move what stands there away, and podctl clones it"};
    if (heal_cuts(repository.get())) repository = open_repository(request.checkout);
    const auto origin = find<RemoteHandle>(request.checkout.string(), git_remote_lookup,
                                           repository.get(), "origin");
    const char* url = origin ? git_remote_url(origin.get()) : nullptr;
    if (url != nullptr && !same_repository(url, request.url))
        throw Error{ErrorKind::conflict,
                    fmt::format("{}: is a clone of {}, not of {}", request.checkout.string(),
                                without_secrets(url), without_secrets(request.url)),
                    "move it away, or correct the URL"};
    return repository;
}

// Fetches the target, and makes sure that moving there loses no commit. The remote-tracking
// branches are asked before and after the fetch: a branch that was rewritten upstream is known from
// before only.
Checkout bring_target(git_repository* repository, Origin& origin, const UpdateRequest& request) {
    const Depth depth = git_repository_is_shallow(repository) == 1 ? Depth::one : Depth::whole;
    // A commit that is already here needs no server.
    const auto pinned = find_target({}, request.ref);
    const Target target =
        pinned && pinned->kind == Target::Kind::commit ? *pinned : origin.target_of(request.ref);
    const auto head = read_head(request.checkout);
    std::vector<git_oid> known;
    add_known_tips(repository, known);
    Checkout result{.commit = origin.bring(target, depth), .branch = {}};
    // libgit2 reads where a history is cut only when it opens the repository.
    const auto fetched = open_repository(request.checkout);
    add_known_tips(fetched.get(), known);
    if (head && head->branch.empty())
        require_no_own_commits(fetched.get(), head->commit, known, "its detached HEAD");
    if (target.kind != Target::Kind::branch) return result;
    result.branch = target.name;
    if (const auto tip = branch_tip(repository, target.name))
        require_no_own_commits(fetched.get(), *tip, known, "branch " + target.name);
    return result;
}

}  // namespace

Checkout update(const UpdateRequest& request, const Network& network, const Monitor& monitor,
                std::stop_token stop) {
    Session session{network, monitor, std::move(stop)};
    const auto repository = open_for_update(request);
    UpdateNote note{repository.get()};
    Origin origin{session, repository.get(), request.url};
    const Checkout result = bring_target(repository.get(), origin, request);

    const auto left_alone = require_unedited_submodules(repository.get(), result.commit);
    move_work_tree(session, repository.get(), result.commit, note);
    if (request.submodules == Submodules::yes)
        update_submodules(session, {.repository = repository.get(),
                                    .url = origin.url(),
                                    .reach = origin.reach_of_submodules(),
                                    .left_alone = left_alone});
    tell_about_lfs(session, repository.get(), without_secrets(request.url));
    // Last, so that HEAD tells that everything is there.
    const bool fresh = !result.branch.empty() && !branch_tip(repository.get(), result.branch);
    point_head(repository.get(), result.commit, result.branch,
               fresh ? Upstream::yes : Upstream::no);
    if (fresh) origin.follow(result.branch);
    sync_file_system(request.checkout);
    note.done();
    return result;
}

}  // namespace podctl::git

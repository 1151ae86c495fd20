#include "podctl/base/file.hpp"
#include "podctl/base/remove_tree.hpp"
#include "podctl/base/sync.hpp"
#include "podctl/git/git.hpp"

#include "fresh_checkout.hpp"
#include "lfs.hpp"
#include "location.hpp"
#include "origin.hpp"
#include "submodules.hpp"
#include "worktree.hpp"

#include <fmt/format.h>

#include <ctime>
#include <functional>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

// A half-made clone is worse than none, so the destructor removes it; call commit().
class Staging {
public:
    explicit Staging(const fs::path& path) : path_(path) {
        remove_tree(path_);
        create_folders(path_);
    }
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;
    ~Staging() {
        if (!committed_) remove_tree_quietly(path_);
    }

    void commit(const fs::path& destination) {
        if (destination.has_parent_path()) create_folders(destination.parent_path());
        sync_file_system(path_);
        rename_durably(path_, destination);
        committed_ = true;
    }

private:
    fs::path path_;
    bool committed_ = false;
};

void require_free(const fs::path& destination) {
    std::error_code error;
    const auto status = fs::symlink_status(destination, error);
    if (!fs::exists(status)) return;
    if (fs::is_directory(status) && fs::is_empty(destination, error)) return;
    throw Error{ErrorKind::conflict,
                fmt::format("{}: stands in the way of a clone", destination.string()),
                "move it away, or give the repository another path"};
}

RepositoryHandle create_repository(const fs::path& path) {
    git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
    options.flags = GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_REINIT;
    return make<RepositoryHandle>(path.string(), git_repository_init_ext, path.c_str(), &options);
}

// As `git clone` leaves it: what a later `git fetch` brings, and where origin's HEAD points. A cut
// clone follows one branch, since any other would come with its whole history.
void configure_tracking(git_repository* repository, Origin& origin, const Target& target) {
    const std::string where = origin.display();
    const std::string main_branch = default_branch(origin.refs());
    const std::string followed = target.kind == Target::Kind::branch ? target.name : main_branch;
    if (git_repository_is_shallow(repository) == 1 && !followed.empty()) {
        const auto config = make<ConfigHandle>(where, git_repository_config, repository);
        const std::string refspec =
            fmt::format("+refs/heads/{0}:refs/remotes/origin/{0}", followed);
        check(git_config_set_string(config.get(), "remote.origin.fetch", refspec.c_str()), where);
    }
    const std::string tracking = "refs/remotes/origin/" + main_branch;
    if (main_branch.empty() ||
        !find<ReferenceHandle>(where, git_reference_lookup, repository, tracking.c_str()))
        return;
    make<ReferenceHandle>(where, git_reference_symbolic_create, repository,
                          "refs/remotes/origin/HEAD", tracking.c_str(), 1, "clone");
}

using Choose = std::function<Checkout(git_repository*, Origin&)>;

// Everything of a clone but which commit is checked out: `choose` fetches that.
Checkout clone_with(const CloneRequest& request, Session& session, const Choose& choose) {
    require_free(request.destination);
    Staging staging{request.staging};
    Checkout result;
    {
        const auto repository = create_repository(request.staging);
        Origin origin{session, repository.get(), request.url};
        result = choose(repository.get(), origin);
        check_out_fresh(session, repository.get(), result.commit);
        point_head(repository.get(), result.commit, result.branch, Upstream::yes);
        if (request.submodules == Submodules::yes)
            update_submodules(session, {.repository = repository.get(),
                                        .url = origin.url(),
                                        .reach = origin.reach_of_submodules()});
        tell_about_lfs(session, repository.get(), without_secrets(request.url));
    }
    session.stop_if_requested(request.url);
    staging.commit(request.destination);
    return result;
}

std::string format_day(std::int64_t seconds) {
    const auto time = static_cast<std::time_t>(seconds);
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    return fmt::format("{:04}-{:02}-{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
}

// Along the first parents, which is how the branch itself stood at that time: a merged branch may
// have older commits that were not in it yet.
std::string newest_before(git_repository* repository, const std::string& tip, std::int64_t before,
                          const std::string& display) {
    CommitHandle commit = lookup_commit(repository, tip);
    while (git_commit_time(commit.get()) > before) {
        CommitHandle parent = first_parent(commit.get(), display);
        if (!parent)
            throw Error{ErrorKind::not_found,
                        fmt::format("{}: has no commit as old as {}", display, format_day(before)),
                        "the repository is younger than what it has to fit"};
        commit = std::move(parent);
    }
    return git_oid_tostr_s(git_commit_id(commit.get()));
}

}  // namespace

Checkout clone(const CloneRequest& request, const Network& network, const Monitor& monitor,
               std::stop_token stop) {
    Session session{network, monitor, std::move(stop)};
    return clone_with(request, session, [&](git_repository* repository, Origin& origin) {
        const Target target = origin.target_of(request.ref);
        Checkout result{.commit = origin.bring(target, Depth::one), .branch = {}};
        if (target.kind == Target::Kind::branch) result.branch = target.name;
        configure_tracking(repository, origin, target);
        return result;
    });
}

Checkout clone_as_of(const CloneRequest& request, std::int64_t before, const Network& network,
                     const Monitor& monitor, std::stop_token stop) {
    Session session{network, monitor, std::move(stop)};
    return clone_with(request, session, [&](git_repository* repository, Origin& origin) {
        const Target target = origin.target_of({});
        const std::string tip = origin.bring(target, Depth::whole);
        configure_tracking(repository, origin, target);
        return Checkout{.commit = newest_before(repository, tip, before, origin.display()),
                        .branch = {}};
    });
}

}  // namespace podctl::git

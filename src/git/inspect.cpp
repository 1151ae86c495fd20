#include "podctl/git/git.hpp"

#include "edits.hpp"
#include "worktree.hpp"

namespace podctl::git {

namespace fs = std::filesystem;

std::optional<State> inspect(const fs::path& checkout) {
    ensure_library();
    const auto repository = open_repository(checkout);
    if (!repository) return std::nullopt;
    State state;
    state.head = read_head(checkout).value_or(Checkout{});
    if (const auto origin =
            find<RemoteHandle>(checkout.string(), git_remote_lookup, repository.get(), "origin");
        origin && git_remote_url(origin.get()) != nullptr)
        state.origin = git_remote_url(origin.get());
    state.modified = !modified_files(repository.get()).empty();
    return state;
}

std::int64_t head_time(const fs::path& checkout) {
    ensure_library();
    const auto repository = open_repository(checkout);
    const auto head = read_head(checkout);
    if (!repository || !head)
        throw Error{ErrorKind::git, checkout.string() + ": no repository with a commit"};
    return git_commit_time(lookup_commit(repository.get(), head->commit).get());
}

}  // namespace podctl::git

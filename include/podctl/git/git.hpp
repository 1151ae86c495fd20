#pragma once

#include "podctl/base/url.hpp"
#include "podctl/http/http.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::git {

struct Progress {
    std::uint64_t received_objects = 0;
    std::uint64_t total_objects = 0;
    std::uint64_t received_bytes = 0;
};

// The way to servers. http and https go by podctl's one client: its rules for proxies,
// certificates, redirects and tokens are those of downloads.
struct Network {
    const Mirrors& mirrors;
    http::Client& http;
    // ~/.netrc, and git's credential helpers, which are programs: not for a look.
    enum class StoredLogins { ignore, use } stored_logins = StoredLogins::ignore;
};

enum class Submodules { no, yes };

struct CloneRequest {
    std::string url;  // as the template gives it: becomes origin; mirrors are applied to fetch
    std::string ref;  // tag, branch or commit (full or abbreviated); empty: the default branch
    std::filesystem::path destination;  // must not exist, or be an empty folder
    std::filesystem::path staging;  // a fresh folder on the same file system, renamed when whole
    Submodules submodules = Submodules::yes;
};

struct Checkout {
    std::string commit;  // 40 hex digits
    std::string branch;  // empty: detached
};

struct Monitor {
    std::function<void(const Progress&)> on_progress = {};
    std::function<void(const std::string&)> on_notice =
        {};  // a submodule declared without a commit, say
};

// Clones with depth 1 where the transport and the ref allow it (http, https, ssh; a tag, a branch,
// or a commit that the server lets be asked for), whole otherwise. A branch or the default branch
// is checked out as a local branch with its upstream, a tag or commit detached. Submodules
// (recursively) follow the same mirrors. Nothing stands at `destination` until all of it is there.
// Throws Error{git | network | not_found | unauthorized | io | interrupted}.
Checkout clone(const CloneRequest& request, const Network& network, const Monitor& monitor,
               std::stop_token stop);

// What HEAD says, by reading .git alone (no libgit2): cheap enough for every start. nullopt: no
// repository, or an unborn HEAD.
std::optional<Checkout> read_head(const std::filesystem::path& checkout);

// True when an update was killed while it wrote files: the work tree is of two commits until
// update() runs again. As cheap as read_head.
bool is_update_pending(const std::filesystem::path& checkout);

struct State {
    Checkout head;
    std::string origin;  // URL of the remote "origin"; empty: none
    // Tracked files differ from HEAD as git compares them, and not as a checkout of it left them;
    // untracked ones do not count.
    bool modified = false;
};
// Opens the repository and compares the work tree. nullopt: no repository. Throws Error{git}.
std::optional<State> inspect(const std::filesystem::path& checkout);

// Moves an existing checkout to `ref` (empty: the default branch's newest commit): fetches what is
// missing, checks out without touching untracked files nor what was changed by hand. Where the new
// commit changes the same files, it is Error{conflict} that names them.
struct UpdateRequest {
    std::filesystem::path checkout;
    std::string url;
    std::string ref;
    Submodules submodules = Submodules::yes;
};
Checkout update(const UpdateRequest& request, const Network& network, const Monitor& monitor,
                std::stop_token stop);

// The newest commit of the default branch that is not younger than `before` (seconds since the
// epoch, committer time): for a companion repository that has to fit an old checkout. Clones whole.
Checkout clone_as_of(const CloneRequest& request, std::int64_t before, const Network& network,
                     const Monitor& monitor, std::stop_token stop);

// Committer time of HEAD, seconds since the epoch. Throws Error{git}.
std::int64_t head_time(const std::filesystem::path& checkout);

// One of the contents that a file has had.
struct FileVersion {
    std::string revision;   // a tag that has it, else a commit (40 hex digits)
    std::int64_t time = 0;  // committer time of that commit, seconds since the epoch
    std::string text;
};
struct HistoryRequest {
    std::string url;                // as CloneRequest's
    std::filesystem::path file;     // its path in the repository
    std::filesystem::path scratch;  // a folder for what is fetched; removed in the end
};
// Every content that a file had on the default branch (some hundred commits back, where the
// transport can cut a history) and at the tags there, newest first: each at the newest tag that has
// it, else at the newest commit of the branch that does. Throws what clone() throws.
std::vector<FileVersion> history_of(const HistoryRequest& request, const Network& network,
                                    std::stop_token stop);

// Why a link is not to be followed though it belongs to the user, as a LinkJudge of base says it: a
// commit brought it, not he, and it leads out of its checkout. Checkouts above `top` do not count:
// they are not podctl's. Throws Error{git} where a repository there cannot be read.
std::string reason_against_link(const std::filesystem::path& link,
                                const std::filesystem::path& top);

// The first parts of the paths that a checkout's index has: its files and folders at the top that
// are git's, as against what somebody has put beside them. Throws Error{git}, also where there is
// no repository.
std::set<std::string> tracked_at_top(const std::filesystem::path& checkout);

// The same repository: scheme, user, a trailing / or .git and letter case of the host do not count.
bool same_repository(std::string_view a, std::string_view b);

// Environment (GIT_CONFIG_COUNT, …) that makes every git started by a child follow the same
// mirrors, as git's url.<base>.insteadOf does, and never ask at a terminal.
std::map<std::string, std::string> child_environment(const Mirrors& mirrors);

}  // namespace podctl::git

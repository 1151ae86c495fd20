#include "origin.hpp"

#include "podctl/base/debug_log.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/url.hpp"

#include "cuts.hpp"
#include "location.hpp"
#include "plain_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace podctl::git {
namespace {

constexpr const char* every_branch = "+refs/heads/*:refs/remotes/origin/*";

constexpr int recent_commits = 300;

int depth_number(Depth depth, bool can_unshallow) {
    switch (depth) {
        case Depth::one:
            return 1;
        case Depth::recent:
            return recent_commits;
        case Depth::whole:
            return can_unshallow ? GIT_FETCH_DEPTH_UNSHALLOW : GIT_FETCH_DEPTH_FULL;
    }
    return GIT_FETCH_DEPTH_FULL;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    for (auto at = text.find(what); !what.empty() && at != text.npos;
         at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
    return text;
}

std::string display_of(const std::string& url, const std::string& fetch_url) {
    if (fetch_url == url) return without_secrets(url);
    return fmt::format("{} (through {})", without_secrets(url), without_secrets(fetch_url));
}

void require_readable(const std::string& url, const std::string& display) {
    require_no_control(url);
    if (url.empty()) throw Error{ErrorKind::git, "a repository's URL is empty"};
    const Transport transport = transport_of(url);
    if (transport == Transport::unknown)
        throw Error{ErrorKind::git, fmt::format("{}: git reads no such scheme", display),
                    "use https, http, ssh, file:// or a local path"};
    std::error_code ignored;
    if (transport == Transport::local && !std::filesystem::exists(local_path(url), ignored))
        throw Error{ErrorKind::not_found, fmt::format("{}: no such folder", display),
                    "check the path"};
    if (transport == Transport::ssh && (git_libgit2_features() & GIT_FEATURE_SSH) == 0)
        throw Error{ErrorKind::git, fmt::format("{}: this podctl was built without ssh", display),
                    fmt::format("use {}", https_form(url))};
}

std::string local_or_same(const std::string& url) {
    const bool path = transport_of(url) == Transport::local && url.find("://") == std::string::npos;
    return path ? local_path(url) : url;
}

}  // namespace

Origin::Origin(Session& session, git_repository* repository, const std::string& url, Reach reach)
    : session_(session),
      repository_(repository),
      url_(local_or_same(url)),
      fetch_url_(local_or_same(session.mirrors().apply(url))),
      display_(display_of(url_, fetch_url_)),
      reach_(fetch_url_ == url_ ? reach : Reach::anywhere),
      can_shallow_(git::can_shallow(fetch_url_)) {
    require_readable(fetch_url_, display_);
    configure();
}

void Origin::configure() {
    const std::string wanted = without_login(url_);
    // A login that an earlier podctl, or a person, has left on the volume.
    const std::string before = configured_url();
    if (const std::string clean = without_login(before); clean != before)
        git::check(git_remote_set_url(repository_, "origin", clean.c_str()), display_);
    remote_ = find<RemoteHandle>(display_, git_remote_lookup, repository_, "origin");
    if (!remote_)
        remote_ =
            make<RemoteHandle>(display_, git_remote_create, repository_, "origin", wanted.c_str());
    // Left alone where it may be: the user's own url.*.insteadOf has been applied to it.
    if (fetch_url_ != wanted || configured_url() != wanted)
        git::check(git_remote_set_instance_url(remote_.get(), fetch_url_.c_str()), display_);
    // What insteadOf has made of it, too.
    const char* read = git_remote_url(remote_.get());
    if (read != nullptr && transport_of(read) == Transport::local)
        require_plain_repository(local_path(read));
}

std::string Origin::configured_url() const {
    const auto config = make<ConfigHandle>(display_, git_repository_config_snapshot, repository_);
    const char* configured = nullptr;
    const int code = git_config_get_string(&configured, config.get(), "remote.origin.url");
    return code == 0 ? configured : std::string{};
}

void Origin::follow(const std::string& branch) {
    const std::string name = "refs/heads/" + branch;
    for (std::size_t i = 0; i < git_remote_refspec_count(remote_.get()); ++i) {
        const git_refspec* refspec = git_remote_get_refspec(remote_.get(), i);
        if (git_refspec_direction(refspec) == GIT_DIRECTION_FETCH &&
            git_refspec_src_matches(refspec, name.c_str()) == 1)
            return;
    }
    const std::string refspec = fmt::format("+{}:refs/remotes/origin/{}", name, branch);
    git::check(git_remote_add_fetch(repository_, "origin", refspec.c_str()), display_);
}

const std::vector<RemoteRef>& Origin::refs() {
    if (refs_) return *refs_;
    const git_remote_connect_options options = session_.connect_options();
    begin();
    if (git_remote_connected(remote_.get()) == 0)
        check_remote(git_remote_connect_ext(remote_.get(), GIT_DIRECTION_FETCH, &options));
    const git_remote_head** heads = nullptr;
    std::size_t count = 0;
    check_remote(git_remote_ls(&heads, &count, remote_.get()));
    refs_.emplace();
    for (std::size_t i = 0; i < count; ++i) {
        const git_remote_head& head = *heads[i];
        refs_->push_back({.name = head.name,
                          .id = git_oid_tostr_s(&head.oid),
                          .symref = head.symref_target == nullptr ? "" : head.symref_target});
    }
    return *refs_;
}

Target Origin::target_of(const std::string& ref) {
    auto target = find_target(refs(), ref);
    if (!target) throw no_such_ref(refs(), ref, display_);
    return *std::move(target);
}

std::string Origin::bring(const Target& target, Depth depth) {
    if (!can_shallow_) depth = Depth::whole;
    std::string to;
    switch (target.kind) {
        case Target::Kind::commit:
            return bring_commit(target.name, depth);
        case Target::Kind::short_commit:
            return bring_short_commit(target.name);
        case Target::Kind::branch:
            to = "refs/remotes/origin/" + target.name;
            fetch_ref("refs/heads/" + target.name, to, depth);
            break;
        case Target::Kind::tag:
            to = "refs/tags/" + target.name;
            fetch_ref(to, to, depth);
            break;
        case Target::Kind::other:
            // "HEAD", or "refs/pull/7/head" as origin/pull/7/head.
            to = "refs/remotes/origin/" +
                 (target.name == "HEAD" ? target.name : target.name.substr(5));
            fetch_ref(target.name, to, depth);
            break;
    }
    if (auto commit = find_commit(to)) return *commit;
    throw Error{ErrorKind::git, fmt::format("{}: {} is not a commit", display_, target.name)};
}

void Origin::fetch_all() {
    fetch({every_branch}, Depth::whole, GIT_REMOTE_DOWNLOAD_TAGS_ALL);
}

std::string Origin::bring_commit(const std::string& commit, Depth depth) {
    if (auto known = find_commit(commit)) return *known;
    if (depth == Depth::one) {
        if (bring_advertised(commit)) return *find_commit(commit);
        try {
            fetch({commit}, Depth::one, GIT_REMOTE_DOWNLOAD_TAGS_NONE);
            if (auto found = find_commit(commit)) return *found;
        } catch (const Error& error) {
            // The server lets only refs be asked for: look for it in the whole history.
            if (error.kind() != ErrorKind::git) throw;
        }
    }
    fetch_all();
    if (auto found = find_commit(commit)) return *found;
    if (depth == Depth::whole && can_shallow_) {
        // Not in any branch or tag; it may be in a pull request.
        try {
            fetch({commit}, Depth::whole, GIT_REMOTE_DOWNLOAD_TAGS_NONE);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::git) throw;
        }
        if (auto found = find_commit(commit)) return *found;
    }
    throw no_such_ref(refs(), commit, display_);
}

std::string Origin::bring_short_commit(const std::string& prefix) {
    fetch_all();
    if (auto found = find_commit(prefix)) return *found;
    throw no_such_ref(refs(), prefix, display_);
}

bool Origin::bring_advertised(const std::string& commit) {
    const auto& advertised = refs();
    const auto at = std::find_if(advertised.begin(), advertised.end(), [&](const RemoteRef& ref) {
        return ref.id == commit &&
               (ref.name.starts_with("refs/heads/") || ref.name.starts_with("refs/tags/"));
    });
    if (at == advertised.end()) return false;
    const std::string name = at->name.substr(0, at->name.find("^{}"));
    constexpr std::string_view heads = "refs/heads/";
    const std::string to =
        name.starts_with(heads) ? "refs/remotes/origin/" + name.substr(heads.size()) : name;
    fetch_ref(name, to, Depth::one);
    return find_commit(commit).has_value();
}

void Origin::fetch_ref(const std::string& from, const std::string& to, Depth depth) {
    const std::string refspec = fmt::format("+{}:{}", from, to);
    if (depth != Depth::whole) {
        try {
            return fetch({refspec}, depth, GIT_REMOTE_DOWNLOAD_TAGS_NONE);
        } catch (const Error& error) {
            // A server that cannot cut a history (dumb or old ones) still has all of it.
            if (error.kind() != ErrorKind::git) throw;
        }
    }
    fetch({every_branch, refspec}, Depth::whole, GIT_REMOTE_DOWNLOAD_TAGS_AUTO);
}

void Origin::fetch(std::vector<std::string> refspecs, Depth depth,
                   git_remote_autotag_option_t tags) {
    std::vector<char*> pointers;
    for (auto& refspec : refspecs)
        pointers.push_back(refspec.data());
    const git_strarray array{pointers.data(), pointers.size()};
    git_fetch_options options = session_.fetch_options();
    options.download_tags = tags;
    const bool shallow = git_repository_is_shallow(repository_) == 1;
    options.depth = depth_number(depth, shallow && can_shallow_);
    KeptCuts cuts{repository_};
    begin();
    const int code = git_remote_fetch(remote_.get(), &array, &options, "fetch");
    cuts.restore();
    check_remote(code);
    if (!can_shallow_) copy_cuts();
}

// libgit2 copies from a local repository without telling where that one's own history was cut.
void Origin::copy_cuts() {
    const auto source =
        make<RepositoryHandle>(display_, git_repository_open, local_path(fetch_url_).c_str());
    const auto cuts = read_file_if_exists(
        std::filesystem::path(git_repository_commondir(source.get())) / "shallow");
    if (cuts && !cuts->empty())
        write_file_atomically(
            std::filesystem::path(git_repository_commondir(repository_)) / "shallow", *cuts);
}

std::optional<std::string> Origin::find_commit(const std::string& revision) const {
    git_object* raw = nullptr;
    const int code =
        git_revparse_single(&raw, repository_, fmt::format("{}^{{commit}}", revision).c_str());
    if (code == GIT_EAMBIGUOUS)
        throw Error{ErrorKind::not_found,
                    fmt::format("{}: commit {} is ambiguous", display_, revision),
                    "give more of its digits"};
    if (code == GIT_ENOTFOUND || code == GIT_EPEEL || code == GIT_EINVALIDSPEC) return std::nullopt;
    git::check(code, display_);
    const ObjectHandle object{raw};
    return git_oid_tostr_s(git_object_id(object.get()));
}

void Origin::begin() {
    log_debug("git", [&] {
        return fmt::format("asking {} for {}", fetch_url_, git_repository_path(repository_));
    });
    session_.contact().from_internet.reset();
    session_.contact().begin(reach_, git_repository_path(repository_));
}

std::optional<Reach> Origin::reach_of_submodules() const {
    if (reach_ == Reach::internet) return Reach::internet;
    if (!from_internet_) return std::nullopt;
    return *from_internet_ ? Reach::internet : Reach::anywhere;
}

// What libgit2 says may quote the URL, user and password included.
void Origin::check_remote(int code) {
    if (session_.contact().from_internet) from_internet_ = session_.contact().from_internet;
    try {
        session_.check(code, display_, Side::remote);
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) throw;
        std::string message = error.message();
        if (!message.starts_with(display_)) message = fmt::format("{}: {}", display_, message);
        for (const std::string& url : {url_, fetch_url_}) {
            const auto parts = parse_url(url);
            if (parts && transport_of(url) != Transport::ssh && !parts->userinfo.empty())
                message = replaced(message, parts->userinfo + "@", "");
        }
        std::string hint = error.hint();
        if (transport_of(fetch_url_) == Transport::ssh)
            hint += fmt::format("{}over https it would be {}", hint.empty() ? "" : "; ",
                                https_form(fetch_url_));
        throw Error{error.kind(), message, hint};
    }
}

}  // namespace podctl::git

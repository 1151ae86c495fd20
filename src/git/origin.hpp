#pragma once

#include "session.hpp"
#include "target.hpp"

#include <optional>
#include <string>
#include <vector>

namespace podctl::git {

enum class Depth {
    one,
    recent,  // some hundred commits back
    whole
};

// The remote "origin" of a repository. Its configured URL is the template's; what is read is the
// mirror.
class Origin {
public:
    // Adds the remote when there is none. Throws Error{git} for a URL that nothing here can read.
    // `reach`: of a URL that the internet has given. A mirror is the user's own word, and may be
    // anywhere.
    Origin(Session& session, git_repository* repository, const std::string& url,
           Reach reach = Reach::anywhere);

    // How errors name it: the URL without secrets, and the mirror behind it.
    const std::string& display() const { return display_; }
    // The template's URL, a local path made absolute; configured without its login.
    const std::string& url() const { return url_; }
    // Where its submodules may be, by the rule that redirects have: what came from the internet
    // leads nowhere else. nullopt: nobody was asked.
    std::optional<Reach> reach_of_submodules() const;

    // What the server advertises; asked once.
    const std::vector<RemoteRef>& refs();
    // What `ref` means there. Throws Error{not_found}.
    Target target_of(const std::string& ref);
    // Fetches what is missing of the target, and returns its commit. Throws Error{not_found}.
    std::string bring(const Target& target, Depth depth);
    // Makes a later `git fetch` bring this branch too, where the configured refspecs leave it out.
    void follow(const std::string& branch);

private:
    // Every branch and tag, whole.
    void fetch_all();
    void configure();
    // The URL of the remote as the configuration has it; empty: none.
    std::string configured_url() const;
    std::string bring_commit(const std::string& commit, Depth depth);
    std::string bring_short_commit(const std::string& prefix);
    // A commit that is the tip of a ref can be asked of any server, by that name.
    bool bring_advertised(const std::string& commit);
    void fetch_ref(const std::string& from, const std::string& to, Depth depth);
    void fetch(std::vector<std::string> refspecs, Depth depth, git_remote_autotag_option_t tags);
    void copy_cuts();
    std::optional<std::string> find_commit(const std::string& revision) const;
    // Another connection or fetch; what check_remote() is given the code of.
    void begin();
    void check_remote(int code);

    Session& session_;
    git_repository* repository_;
    std::string url_;
    std::string fetch_url_;
    std::string display_;
    Reach reach_;
    bool can_shallow_ = false;
    std::optional<bool> from_internet_;  // nullopt: nobody was asked
    RemoteHandle remote_;
    std::optional<std::vector<RemoteRef>> refs_;
};

}  // namespace podctl::git

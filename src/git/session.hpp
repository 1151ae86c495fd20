#pragma once

#include "podctl/git/git.hpp"

#include "contact.hpp"
#include "handles.hpp"
#include "library.hpp"
#include "logins.hpp"

#include <chrono>
#include <exception>
#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>

namespace podctl::git {

// What one clone or update carries through libgit2's callbacks: who watches it and who may stop it.
// libgit2 is C: what a callback throws is kept here and thrown again by check().
class Session {
public:
    Session(const Network& network, const Monitor& monitor, std::stop_token stop);

    const Mirrors& mirrors() const { return network_.mirrors; }
    const Network& network() const { return network_; }
    const std::stop_token& stop() const { return stop_; }
    // Whose callbacks a transport has: every connection of this room is one of a session. nullptr,
    // with libgit2's error, when they cannot be had.
    static Session* of(git_transport* transport);

    Contact& contact() { return contact_; }

    git_fetch_options fetch_options();
    git_remote_connect_options connect_options();
    // Stops the planning of a checkout; conflicts are gathered in `conflicts`.
    git_checkout_options checkout_options(std::set<std::string>& conflicts);

    // As git::check, but a stop request or what a callback threw goes before libgit2's own words.
    void check(int code, std::string_view doing, Side side = Side::local);
    // Throws Error{interrupted} when a stop was requested.
    void stop_if_requested(std::string_view doing) const;
    void notice(const std::string& message) const;

    // What a server has taken, by origin: asked again, it is given that at once.
    std::map<std::string, Login> logins = {};

    // How many were brought, of all superprojects together.
    std::size_t submodules = 0;

    // Runs the body of a callback from libgit2: what it returns, or GIT_EUSER once it threw or a
    // stop was requested.
    template <class Body>
    int guarded(Body body) noexcept {
        try {
            if (stop_.stop_requested()) return GIT_EUSER;
            return body();
        } catch (...) {
            thrown_ = std::current_exception();
            return GIT_EUSER;
        }
    }

private:
    struct Planning {
        Session* session;
        std::set<std::string>* conflicts;
    };
    git_remote_callbacks callbacks();
    void report(const git_indexer_progress& progress);
    static int on_transfer(const git_indexer_progress* progress, void* payload);
    static int on_sideband(const char* text, int size, void* payload);
    static int on_credentials(git_credential** out, const char* url, const char* user,
                              unsigned allowed, void* payload);
    static int on_planned(git_checkout_notify_t why, const char* path, const git_diff_file*,
                          const git_diff_file*, const git_diff_file*, void* payload);

    Network network_;
    const Monitor& monitor_;
    std::stop_token stop_;
    Contact contact_;
    std::exception_ptr thrown_;
    std::chrono::steady_clock::time_point last_report_{};
    unsigned credentials_tried_ = 0;
    Planning planning_{};
};

}  // namespace podctl::git

#include "session.hpp"

#include "podctl/base/home.hpp"

#include <fmt/format.h>
#include <git2/sys/errors.h>
#include <git2/sys/transport.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>

namespace podctl::git {
namespace {

// libgit2 reports every packet; nobody looks more often than this.
constexpr std::chrono::milliseconds report_interval{100};

constexpr std::array key_names{"id_ed25519", "id_ecdsa", "id_rsa"};

// The key that `ssh` would offer as its nth; 1: there is none.
int key_from_home(git_credential** out, const char* user, std::size_t nth) {
    const auto home = home_folder();
    if (home.empty()) return GIT_PASSTHROUGH;
    const auto key = home / ".ssh" / key_names.at(nth);
    if (::access(key.c_str(), R_OK) != 0) return GIT_PASSTHROUGH;
    return git_credential_ssh_key_new(out, user, nullptr, key.c_str(), nullptr);
}

}  // namespace

Session::Session(const Network& network, const Monitor& monitor, std::stop_token stop)
    : network_(network), monitor_(monitor), stop_(std::move(stop)), contact_(stop_) {
    ensure_network();
}

// A transport is given its options after it was made. Nothing of them has to be freed: the session
// names neither a proxy nor headers there.
Session* Session::of(git_transport* transport) {
    git_remote_connect_options options = GIT_REMOTE_CONNECT_OPTIONS_INIT;
    if (git_transport_remote_connect_options(&options, transport) < 0) return nullptr;
    return static_cast<Session*>(options.callbacks.payload);
}

void Session::report(const git_indexer_progress& progress) {
    if (!monitor_.on_progress) return;
    const auto now = std::chrono::steady_clock::now();
    const bool whole = progress.received_objects == progress.total_objects;
    if (!whole && now - last_report_ < report_interval) return;
    last_report_ = now;
    monitor_.on_progress({.received_objects = progress.received_objects,
                          .total_objects = progress.total_objects,
                          .received_bytes = progress.received_bytes});
}

int Session::on_transfer(const git_indexer_progress* progress, void* payload) {
    auto& session = *static_cast<Session*>(payload);
    return session.guarded([&] {
        if (progress->total_objects > 0) session.contact_.pack_begins();
        session.report(*progress);
        return 0;
    });
}

int Session::on_sideband(const char* /*text*/, int /*size*/, void* payload) {
    return static_cast<Session*>(payload)->guarded([] { return 0; });
}

// Of ssh alone: http_transport.cpp has its own. The agent, then the usual keys, each of them once
// (libgit2 calls again after a refusal).
int Session::on_credentials(git_credential** out, const char* /*url*/, const char* user,
                            unsigned allowed, void* payload) {
    auto& session = *static_cast<Session*>(payload);
    return session.guarded([&]() -> int {
        const char* name = user == nullptr ? "git" : user;
        if ((allowed & GIT_CREDENTIAL_USERNAME) != 0) return git_credential_username_new(out, name);
        if ((allowed & GIT_CREDENTIAL_SSH_KEY) == 0) return GIT_PASSTHROUGH;
        while (session.credentials_tried_ <= key_names.size()) {
            const std::size_t turn = session.credentials_tried_++;
            if (turn == 0 && std::getenv("SSH_AUTH_SOCK") == nullptr) continue;
            const int code = turn == 0 ? git_credential_ssh_key_from_agent(out, name)
                                       : key_from_home(out, name, turn - 1);
            if (code != GIT_PASSTHROUGH) return code;
        }
        git_error_set_str(GIT_ERROR_SSH, "the server takes none of the agent's and ~/.ssh's keys");
        return GIT_EAUTH;
    });
}

int Session::on_planned(git_checkout_notify_t why, const char* path, const git_diff_file*,
                        const git_diff_file*, const git_diff_file*, void* payload) {
    auto& planning = *static_cast<Planning*>(payload);
    return planning.session->guarded([&] {
        if (why == GIT_CHECKOUT_NOTIFY_CONFLICT) planning.conflicts->insert(path);
        return 0;
    });
}

git_remote_callbacks Session::callbacks() {
    git_remote_callbacks callbacks = GIT_REMOTE_CALLBACKS_INIT;
    callbacks.transfer_progress = &Session::on_transfer;
    callbacks.sideband_progress = &Session::on_sideband;
    callbacks.credentials = &Session::on_credentials;
    callbacks.payload = this;
    return callbacks;
}

git_fetch_options Session::fetch_options() {
    git_fetch_options options = GIT_FETCH_OPTIONS_INIT;
    options.callbacks = callbacks();
    options.update_fetchhead = 0;
    return options;
}

git_remote_connect_options Session::connect_options() {
    credentials_tried_ = 0;
    git_remote_connect_options options = GIT_REMOTE_CONNECT_OPTIONS_INIT;
    options.callbacks = callbacks();
    return options;
}

git_checkout_options Session::checkout_options(std::set<std::string>& conflicts) {
    planning_ = {this, &conflicts};
    git_checkout_options options = GIT_CHECKOUT_OPTIONS_INIT;
    options.checkout_strategy = GIT_CHECKOUT_SAFE | GIT_CHECKOUT_DONT_OVERWRITE_IGNORED;
    options.notify_flags = GIT_CHECKOUT_NOTIFY_CONFLICT | GIT_CHECKOUT_NOTIFY_UPDATED;
    options.notify_cb = &Session::on_planned;
    options.notify_payload = &planning_;
    return options;
}

void Session::check(int code, std::string_view doing, Side side) {
    if (code >= 0) return;
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    stop_if_requested(doing);
    throw last_error(code, doing, side);
}

void Session::stop_if_requested(std::string_view doing) const {
    if (stop_.stop_requested())
        throw Error{ErrorKind::interrupted, fmt::format("{}: interrupted", doing)};
}

void Session::notice(const std::string& message) const {
    if (monitor_.on_notice) monitor_.on_notice(message);
}

}  // namespace podctl::git

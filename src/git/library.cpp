#include "library.hpp"

#include "podctl/base/home.hpp"
#include "podctl/base/shorten.hpp"

#include "http_transport.hpp"
#include "interruptible_stream.hpp"
#include "limits.hpp"
#include "socket_transports.hpp"
#include "stop_filter.hpp"

#include <fmt/format.h>
#include <git2/sys/alloc.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <mutex>

namespace podctl::git {
namespace {

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != text.npos;
}

ErrorKind remote_kind(int code, int klass, std::string_view message) {
    if (code == GIT_EAUTH) return ErrorKind::unauthorized;
    if (code == GIT_ECERTIFICATE || code == GIT_TIMEOUT || code == GIT_EEOF)
        return ErrorKind::network;
    if (code == GIT_ENOTFOUND) return ErrorKind::not_found;
    // The server's own words, as upload-pack sends them in an ERR packet.
    if (contains(message, "remote error:")) return ErrorKind::git;
    // What libgit2 makes of such a packet where it waits for an ACK: "not our ref", of a commit
    // that the server does not have, or lets nobody ask for.
    if (contains(message, "unexpected packet type")) return ErrorKind::git;
    if (contains(message, "unsupported") || contains(message, "doesn't support"))
        return ErrorKind::git;
    switch (klass) {
        case GIT_ERROR_NET:
        case GIT_ERROR_SSH:
            return ErrorKind::network;
        case GIT_ERROR_OS:
        case GIT_ERROR_FILESYSTEM:
            return ErrorKind::io;
        default:
            return ErrorKind::git;
    }
}

ErrorKind local_kind(int code, int klass) {
    if (code == GIT_ECONFLICT) return ErrorKind::conflict;
    return klass == GIT_ERROR_OS || klass == GIT_ERROR_FILESYSTEM ? ErrorKind::io : ErrorKind::git;
}

std::string hint_for(ErrorKind kind, int code, std::string_view message) {
    if (contains(message, "networks around this machine"))
        return "if that is meant, name the place yourself: --mirror FROM=TO, or its own URL";
    if (contains(message, "No space left")) return "free space on that file system";
    if (code == GIT_ELOCKED)
        return "another git works on this repository; a lock that a killed git left must be "
               "removed";
    if (code == GIT_ECERTIFICATE)
        return "add the server's key to ~/.ssh/known_hosts (ssh-keyscan shows it)";
    switch (kind) {
        case ErrorKind::unauthorized:
            return "the repository is private, or does not exist: many servers ask for a login "
                   "rather than say so";
        case ErrorKind::not_found:
            return "check the spelling of the repository's URL";
        case ErrorKind::network:
            return "check the connection, or set a mirror for this prefix";
        default:
            return {};
    }
}

void* bounded_malloc(std::size_t size, const char*, int) {
    return size > largest_allocation ? nullptr : std::malloc(size);
}

void* bounded_realloc(void* before, std::size_t size, const char*, int) {
    return size > largest_allocation ? nullptr : std::realloc(before, size);
}

void bound_allocations() {
    git_allocator allocator{};
    allocator.gmalloc = bounded_malloc;
    allocator.grealloc = bounded_realloc;
    allocator.gfree = std::free;
    // An older libgit2 has more of them, each of which would have to be given.
    if (sizeof allocator != 3 * sizeof allocator.gfree) return;
    check(git_libgit2_opts(GIT_OPT_SET_ALLOCATOR, &allocator), "libgit2");
}

// The home is root's, say, and podctl runs as somebody else: git tells that it cannot read such a
// file and goes on, libgit2 fails.
void pass_over_unreadable(int level, const char* name) {
    git_buf found{};
    check(git_libgit2_opts(GIT_OPT_GET_SEARCH_PATH, level, &found), "libgit2");
    const std::string folder = found.ptr == nullptr ? "" : found.ptr;
    git_buf_dispose(&found);
    if (folder.empty() || ::access((folder + "/" + name).c_str(), R_OK) == 0 || errno != EACCES)
        return;
    check(git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, ""), "libgit2");
}

}  // namespace

void ensure_library() {
    static std::once_flag once;
    std::call_once(once, [] {
        bound_allocations();
        const int code = git_libgit2_init();
        if (code < 0) throw last_error(code, "libgit2 cannot start");
        // Where its own is not there it takes every SSH server for one that cannot be asked, rather
        // than for one that it does not know.
        const auto home = home_folder();
        check(git_libgit2_opts(GIT_OPT_SET_HOMEDIR, home.empty() ? "/" : home.c_str()), "libgit2");
        pass_over_unreadable(GIT_CONFIG_LEVEL_GLOBAL, ".gitconfig");
        pass_over_unreadable(GIT_CONFIG_LEVEL_XDG, "config");
        // A pod's volume often maps every owner to another user than the one that runs podctl. Only
        // repositories that the template names are opened, so the owner proves nothing.
        check(git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0), "libgit2");
        // A few calls for a clone, since its objects come as one pack.
        check(git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1), "libgit2");
    });
}

void ensure_network() {
    ensure_library();
    static std::once_flag once;
    std::call_once(once, [] {
        register_interruptible_stream();
        register_http_transport();
        register_socket_transports();
        register_stop_filter();
        // What libssh2 waits for at most, which has no end by itself.
        check(git_libgit2_opts(GIT_OPT_SET_SERVER_TIMEOUT, 60'000), "libgit2");
        // Each of them takes memory before one byte of it is needed.
        check(git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECTS, std::size_t{5'000'000}), "libgit2");
    });
}

Error last_error(int code, std::string_view doing, Side side) {
    const git_error* error = git_error_last();
    const int klass = error == nullptr ? GIT_ERROR_NONE : error->klass;
    if (klass == GIT_ERROR_NOMEMORY)
        return Error{ErrorKind::git,
                     fmt::format("{}: needs more than {} MiB of memory at once, or none is left",
                                 doing, largest_allocation >> 20),
                     "do not use this repository, or another commit of it"};
    const std::string text = error == nullptr || error->message == nullptr
                                 ? fmt::format("libgit2 error {}", code)
                                 : std::string(error->message);
    const ErrorKind kind =
        side == Side::remote ? remote_kind(code, klass, text) : local_kind(code, klass);
    // A server's words are as long as it likes, and a path as its repository likes.
    return Error{kind, fmt::format("{}: {}", doing, shorten_line(text)),
                 hint_for(kind, code, text)};
}

void check(int code, std::string_view doing, Side side) {
    if (code < 0) throw last_error(code, doing, side);
}

}  // namespace podctl::git

#include "socket_transports.hpp"

#include "library.hpp"
#include "session.hpp"

#include <git2/sys/errors.h>
#include <git2/sys/transport.h>

#include <memory>
#include <new>

namespace podctl::git {
namespace {

struct WatchedTransport;

// libgit2's stream, with a look at what is read from it.
struct WatchedStream : git_smart_subtransport_stream {
    WatchedStream(WatchedTransport& of, git_smart_subtransport_stream* what);

    WatchedTransport& transport;
    git_smart_subtransport_stream* inner;
};

struct WatchedTransport : git_smart_subtransport {
    explicit WatchedTransport(git_transport* of);

    git_transport* owner;
    git_smart_subtransport* inner = nullptr;
    Session* session = nullptr;        // since the first action
    WatchedStream* current = nullptr;  // the protocol has one stream for all of its rounds
};

WatchedStream& watched(git_smart_subtransport_stream* stream) {
    return static_cast<WatchedStream&>(*stream);
}

WatchedTransport& watched(git_smart_subtransport* transport) {
    return static_cast<WatchedTransport&>(*transport);
}

int watched_read(git_smart_subtransport_stream* stream, char* into, std::size_t size,
                 std::size_t* got) {
    auto& own = watched(stream);
    return own.transport.session->guarded([&] {
        const int code = read_terminated(into, size, got, [&](std::size_t most) {
            return own.inner->read(own.inner, into, most, got);
        });
        if (code >= 0) own.transport.session->contact().received(*got);
        return code;
    });
}

int watched_write(git_smart_subtransport_stream* stream, const char* bytes, std::size_t size) {
    auto* inner = watched(stream).inner;
    return inner->write(inner, bytes, size);
}

void free_watched(git_smart_subtransport_stream* stream) {
    auto& own = watched(stream);
    own.inner->free(own.inner);
    own.transport.current = nullptr;
    delete &own;
}

WatchedStream::WatchedStream(WatchedTransport& of, git_smart_subtransport_stream* what)
    : git_smart_subtransport_stream{&of, watched_read, watched_write, free_watched},
      transport(of),
      inner(what) {}

int begin_watched(git_smart_subtransport_stream** out, git_smart_subtransport* transport,
                  const char* url, git_smart_service_t service) {
    auto& own = watched(transport);
    own.session = Session::of(own.owner);
    if (own.session == nullptr) return -1;
    return own.session->guarded([&] {
        git_smart_subtransport_stream* stream = nullptr;
        const int code = own.inner->action(&stream, own.inner, url, service);
        if (code < 0) return code;
        if (own.current == nullptr || own.current->inner != stream)
            own.current = std::make_unique<WatchedStream>(own, stream).release();
        *out = own.current;
        return 0;
    });
}

int close_watched(git_smart_subtransport* transport) {
    auto* inner = watched(transport).inner;
    return inner->close(inner);
}

void free_watched_transport(git_smart_subtransport* transport) {
    auto* inner = watched(transport).inner;
    inner->free(inner);
    delete &watched(transport);
}

WatchedTransport::WatchedTransport(git_transport* of)
    : git_smart_subtransport{begin_watched, close_watched, free_watched_transport}, owner(of) {}

template <auto MakeInner>
int new_watched(git_smart_subtransport** out, git_transport* owner, void*) {
    auto made = std::unique_ptr<WatchedTransport>(new (std::nothrow) WatchedTransport(owner));
    if (!made) {
        git_error_set_oom();
        return -1;
    }
    if (const int code = MakeInner(&made->inner, owner, nullptr); code < 0) return code;
    *out = made.release();
    return 0;
}

}  // namespace

void register_socket_transports() {
    static git_smart_subtransport_definition git{new_watched<git_smart_subtransport_git>, 0,
                                                 nullptr};
    static git_smart_subtransport_definition ssh{new_watched<git_smart_subtransport_ssh>, 0,
                                                 nullptr};
    check(git_transport_register("git", git_transport_smart, &git), "libgit2's transports");
    if ((git_libgit2_features() & GIT_FEATURE_SSH) == 0) return;
    for (const char* scheme : {"ssh", "ssh+git", "git+ssh"})
        check(git_transport_register(scheme, git_transport_smart, &ssh), "libgit2's transports");
}

}  // namespace podctl::git

#include "progress_server.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"

#include <fmt/format.h>
#include <microhttpd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <exception>

namespace podctl::serve {
namespace {

constexpr unsigned most_connections = 64;
// From here on the oldest makes room for the newest: a request takes no time, so it is one that
// idles or dawdles.
constexpr std::size_t enough_connections = 32;
// Of a request's line and headers together; cookies of a platform's proxy can be long.
constexpr std::size_t header_memory = 32 << 10;

struct Destroy {
    void operator()(MHD_Response* response) const { MHD_destroy_response(response); }
};
using Response = std::unique_ptr<MHD_Response, Destroy>;

// The text is copied.
Response response_of(std::string_view text, const char* type) {
    // The library takes no const memory, and with MUST_COPY does not write to it.
    auto* memory = const_cast<char*>(text.data());
    Response made{MHD_create_response_from_buffer(text.size(), memory, MHD_RESPMEM_MUST_COPY)};
    if (!made) throw std::bad_alloc{};
    const auto add = [&](const char* name, const char* value) {
        if (MHD_add_response_header(made.get(), name, value) != MHD_YES) throw std::bad_alloc{};
    };
    add("Content-Type", type);
    add("Cache-Control", "no-store");
    add("Vary", "Accept");
    add("X-Content-Type-Options", "nosniff");
    add("Referrer-Policy", "no-referrer");
    add("Connection", "close");
    return made;
}

Response with(Response response, const char* name, const std::string& value) {
    if (MHD_add_response_header(response.get(), name, value.c_str()) != MHD_YES)
        throw std::bad_alloc{};
    return response;
}

// What stands between the first <tag> and its end.
std::string_view element(std::string_view html, std::string_view tag) {
    const auto from = html.find(fmt::format("<{}>", tag)) + tag.size() + 2;
    return html.substr(from, html.find(fmt::format("</{}>", tag), from) - from);
}

// The page's own script and style, and requests to where it came from; nothing else.
std::string content_security_policy(std::string_view html) {
    return fmt::format(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'",
        sha256_base64(element(html, "script")), sha256_base64(element(html, "style")));
}

bool wants_json(MHD_Connection* connection) {
    const char* accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");
    return accept && std::string_view{accept}.find("application/json") != std::string_view::npos;
}

}  // namespace

// The same for all listeners.
class ProgressServer::Answers {
public:
    explicit Answers(std::function<std::string()> state) : state_(std::move(state)) {}

    MHD_Result give(MHD_Connection* connection, std::string_view path, std::string_view method) {
        if (path != "/") return queue(connection, MHD_HTTP_SERVICE_UNAVAILABLE, busy_);
        if (method != MHD_HTTP_METHOD_GET && method != MHD_HTTP_METHOD_HEAD)
            return queue(connection, MHD_HTTP_METHOD_NOT_ALLOWED, refusal_);
        if (!wants_json(connection)) return queue(connection, MHD_HTTP_OK, page_);
        return queue(connection, MHD_HTTP_OK, response_of(state_(), "application/json"));
    }

private:
    static MHD_Result queue(MHD_Connection* connection, unsigned status, const Response& response) {
        return MHD_queue_response(connection, status, response.get());
    }

    const std::function<std::string()> state_;
    const Response page_ =
        with(response_of(progress_page_html(), "text/html; charset=utf-8"),
             "Content-Security-Policy", content_security_policy(progress_page_html()));
    const Response busy_ = with(response_of("podctl is preparing this pod: / shows how far it is\n",
                                            "text/plain; charset=utf-8"),
                                "Retry-After", "5");
    const Response refusal_ =
        with(response_of("GET and HEAD only\n", "text/plain; charset=utf-8"), "Allow", "GET, HEAD");
};

// One socket and its thread.
class ProgressServer::Listener {
public:
    Listener(Fd socket, Answers& answers, std::chrono::seconds patience) : answers_(answers) {
        daemon_.reset(MHD_start_daemon(
            MHD_USE_AUTO_INTERNAL_THREAD, 0, nullptr, nullptr, &Listener::answer, this,
            MHD_OPTION_LISTEN_SOCKET, socket.get(), MHD_OPTION_CONNECTION_LIMIT, most_connections,
            MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(patience.count()),
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, header_memory, MHD_OPTION_NOTIFY_CONNECTION,
            &Listener::notice_connection, this, MHD_OPTION_END));
        if (!daemon_) throw system_error("cannot serve the progress page", errno);
        // The daemon closes it.
        socket.release();
    }

private:
    struct Stop {
        void operator()(MHD_Daemon* daemon) const { MHD_stop_daemon(daemon); }
    };

    // Answered before a body is read, which ends the connection. No exception may pass through the
    // library; without an answer it hangs up, and the page asks again.
    static MHD_Result answer(void* self, MHD_Connection* connection, const char* path,
                             const char* method, const char*, const char*, std::size_t*, void**) {
        try {
            return static_cast<Listener*>(self)->answers_.give(connection, path, method);
        } catch (const std::exception&) {
            return MHD_NO;
        }
    }

    static void notice_connection(void* self, MHD_Connection* connection, void**,
                                  MHD_ConnectionNotificationCode what) {
        const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        auto& open = static_cast<Listener*>(self)->open_;
        if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
            std::erase(open, info->connect_fd);
            return;
        }
        if (open.size() >= enough_connections) {
            ::shutdown(open.front(), SHUT_RDWR);
            open.pop_front();
        }
        try {
            open.push_back(info->connect_fd);
        } catch (const std::exception&) {
            // It stands outside the queue of those that make room; its patience still ends it.
        }
    }

    Answers& answers_;
    std::deque<int> open_;  // of the daemon's thread; the oldest first
    std::unique_ptr<MHD_Daemon, Stop> daemon_;
};

ProgressServer::ProgressServer(std::vector<Fd> listeners, std::function<std::string()> state,
                               std::chrono::seconds patience)
    : answers_(std::make_unique<Answers>(std::move(state))) {
    for (auto& socket : listeners)
        listeners_.emplace_back(std::move(socket), *answers_, patience);
}

ProgressServer::~ProgressServer() = default;

}  // namespace podctl::serve

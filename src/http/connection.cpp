#include "connection.hpp"

#include "podctl/base/wait.hpp"

#include "exchange.hpp"

#include <new>
#include <utility>

namespace podctl::http {
namespace {

using Clock = std::chrono::steady_clock;

int end_when_stopped(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<const std::stop_token*>(user)->stop_requested() ? 1 : 0;
}

}  // namespace

// A handle that does no more than to connect (CURLOPT_CONNECT_ONLY).
struct Connection::State {
    explicit State(const Url& url) : exchange(Request{.url = url.to_string()}) {
        exchange.url = url;
        exchange.handle.reset(curl_easy_init());
        if (!exchange.handle) throw std::bad_alloc{};
    }
    CURL* handle() const { return exchange.handle.get(); }
    void connect(std::chrono::milliseconds timeout, const std::stop_token& stop);

    Exchange exchange;
    curl_socket_t socket = CURL_SOCKET_BAD;
};

void Connection::State::connect(std::chrono::milliseconds timeout, const std::stop_token& stop) {
    curl_easy_setopt(handle(), CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(handle(), CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(handle(), CURLOPT_HTTPPROXYTUNNEL, 1L);
    curl_easy_setopt(handle(), CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
    curl_easy_setopt(handle(), CURLOPT_ERRORBUFFER, exchange.error_text.data());
    curl_easy_setopt(handle(), CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle(), CURLOPT_XFERINFOFUNCTION, end_when_stopped);
    curl_easy_setopt(handle(), CURLOPT_XFERINFODATA, &stop);
    const CURLcode code = curl_easy_perform(handle());
    // What the handle must not keep: it lives longer than this call.
    curl_easy_setopt(handle(), CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(handle(), CURLOPT_XFERINFODATA, nullptr);
    if (stop.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
    if (code != CURLE_OK) throw curl_error(exchange, code);
    curl_easy_getinfo(handle(), CURLINFO_ACTIVESOCKET, &socket);
    if (socket == CURL_SOCKET_BAD) throw network_error(exchange, "the connection was lost");
}

Connection::Connection(std::unique_ptr<State> state) : state_(std::move(state)) {}

Connection::~Connection() = default;

std::size_t Connection::receive(std::span<char> into, std::chrono::milliseconds wait,
                                std::stop_token stop) {
    const auto end = Clock::now() + wait;
    while (true) {
        // TLS may have kept bytes that the socket no longer has: so it is asked before the wait.
        std::size_t got = 0;
        const CURLcode code = curl_easy_recv(state_->handle(), into.data(), into.size(), &got);
        if (code == CURLE_OK && got > 0) return got;
        if (code != CURLE_AGAIN) throw network_error(state_->exchange, "the connection was closed");
        if (!wait_until_ready({.fd = state_->socket}, end, stop)) return 0;
    }
}

void Connection::send(std::string_view bytes, std::chrono::milliseconds wait) {
    const auto end = Clock::now() + wait;
    while (!bytes.empty()) {
        std::size_t sent = 0;
        const CURLcode code = curl_easy_send(state_->handle(), bytes.data(), bytes.size(), &sent);
        if (code != CURLE_OK && code != CURLE_AGAIN)
            throw network_error(state_->exchange, "the connection was closed");
        bytes.remove_prefix(sent);
        const Awaited socket{.fd = state_->socket, .until = Awaited::Until::writable};
        if (sent == 0 && !wait_until_ready(socket, end, {}))
            throw network_error(state_->exchange, "nothing can be sent");
    }
}

std::unique_ptr<Connection> open_connection(const Url& url, const Options& options,
                                            const std::string& bundle,
                                            std::chrono::milliseconds timeout,
                                            const std::stop_token& stop) {
    auto state = std::make_unique<Connection::State>(url);
    set_connection(state->exchange, options, bundle);
    state->connect(timeout, stop);
    return std::make_unique<Connection>(std::move(state));
}

}  // namespace podctl::http

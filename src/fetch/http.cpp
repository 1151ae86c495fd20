// The only file that knows libcurl: one thread drives one multi handle. Longer than others, since
// splitting it would let a second file know libcurl.
#include "podctl/fetch/http.hpp"

#include "podctl/base/certificates.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/names.hpp"

#include "connection.hpp"
#include "http_rules.hpp"
#include "rate_limit.hpp"
#include "transfer_share.hpp"

#include <curl/curl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace podctl::fetch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int max_redirects = 10;
constexpr std::size_t max_redirect_body = 64 << 10;
constexpr std::chrono::milliseconds pause_check{10};
// curl's own 16 KiB costs throughput. All of them together are bounded.
constexpr long largest_receive_buffer = 512 << 10;
constexpr long all_receive_buffers = 4 << 20;
constexpr long message_receive_buffer = 64 << 10;

struct EasyDeleter {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct MultiDeleter {
    void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};

// One call of send(), stream() or start(): a chain of hops, each the same easy handle with another
// URL. From submit() on only the client's thread touches it, but for `stopped`.
struct Exchange {
    explicit Exchange(HttpRequest asked, std::optional<HttpClient::Sink> reader = {})
        : request(std::move(asked)), sink(std::move(reader)) {
        if (sink) on_end = sink->on_end;
    }

    HttpRequest request;
    std::optional<HttpClient::Sink> sink;  // none: the body goes into the response
    // Called last, by the client's thread.
    std::function<void(HttpResponse, std::exception_ptr)> on_end = {};
    HttpClient::StreamId id = 0;
    std::atomic<bool> stopped = false;

    Url url = {};
    std::string method = {};
    Origin origin = Origin::same;
    int redirects = 0;
    std::unique_ptr<CURL, EasyDeleter> handle = {};
    std::unique_ptr<curl_slist, ListDeleter> header_list = {};
    std::array<char, CURL_ERROR_SIZE> error_text = {};

    HttpResponse response = {};
    std::optional<Redirect> redirect = {};  // of the answer whose headers have come
    bool headers_done = false;
    bool paused = false;    // the sink has no room
    bool declined = false;  // the sink does not want the body
    std::size_t skipped = 0;
    std::optional<Clock::time_point> deadline = {};
    Clock::time_point last_byte = {};
    std::exception_ptr failure = {};
};

// Under a limit the kernel must not take in much more than was asked for: it is lost with the
// process, and was paid for.
curl_socket_t open_socket(void* user, curlsocktype, curl_sockaddr* address) {
    const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    const auto& options = *static_cast<const HttpOptions*>(user);
    if (fd >= 0 && options.limit_rate > 0) {
        const int buffer =
            static_cast<int>(std::clamp<std::uint64_t>(options.limit_rate / 8, 64 << 10, 4 << 20));
        ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    }
    return fd;
}

long receive_buffer(const Exchange& exchange, const HttpOptions& options) {
    if (!exchange.sink) return message_receive_buffer;
    return std::clamp(all_receive_buffers / static_cast<long>(options.connections),
                      message_receive_buffer, largest_receive_buffer);
}

Error network_error(const Exchange& exchange, const std::string& what, std::string hint = {}) {
    return Error{ErrorKind::network, fmt::format("{}: {}", shown(exchange.url.to_string()), what),
                 std::move(hint)};
}

Error curl_error(const Exchange& exchange, CURLcode code) {
    const std::string what =
        exchange.error_text[0] ? exchange.error_text.data() : curl_easy_strerror(code);
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
            return network_error(exchange, what,
                                 "check the network, the proxy variables and mirrors");
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
            return network_error(
                exchange, what,
                "check the clock and the certificates; SSL_CERT_FILE names a bundle");
        case CURLE_OUT_OF_MEMORY:
            throw std::bad_alloc{};
        default:
            return network_error(exchange, what);
    }
}

// What `step` throws is kept for the caller's thread: no exception may cross curl's frames.
template <class Step>
bool guarded(Exchange& exchange, Step step) {
    try {
        step();
    } catch (...) {
        exchange.failure = std::current_exception();
    }
    return !exchange.failure;
}

void headers_complete(Exchange& exchange, const HttpOptions& options) {
    exchange.headers_done = true;
    exchange.response.url = exchange.url.to_string();
    if (exchange.request.redirects == HttpRequest::Redirects::follow)
        exchange.redirect = redirect_of(exchange.response, exchange.url, exchange.method, options);
    if (exchange.redirect || !exchange.sink) return;
    exchange.deadline.reset();
    exchange.declined = !exchange.sink->on_headers(exchange.response);
}

struct HeaderContext {
    Exchange* exchange;
    const HttpOptions* options;
    RateLimit* limit;
};

// A body waits in the network while its reader has no room or the limit is used up.
bool takes_body(const Exchange& exchange, const RateLimit& limit) {
    if (!exchange.sink) return true;
    return limit.allows() && (!exchange.sink->has_room || exchange.sink->has_room());
}

void header_line(Exchange& exchange, std::string_view line, const HttpOptions& options) {
    if (exchange.headers_done) return;  // a trailer
    line = trim(line);
    if (line.starts_with("HTTP/")) {
        exchange.response.headers.clear();
        return;
    }
    if (line.empty()) {
        long status = 0;
        curl_easy_getinfo(exchange.handle.get(), CURLINFO_RESPONSE_CODE, &status);
        exchange.response.status = static_cast<int>(status);
        if (status >= 200) headers_complete(exchange, options);
        return;
    }
    const auto colon = line.find(':');
    if (colon == line.npos) return;
    exchange.response.headers.emplace_back(to_lower(trim(line.substr(0, colon))),
                                           std::string(trim(line.substr(colon + 1))));
}

void body_bytes(Exchange& exchange, const char* data, std::size_t size) {
    if (exchange.sink) return exchange.sink->on_body(data, size);
    if (exchange.response.body.size() + size > exchange.request.max_body)
        throw network_error(
            exchange, fmt::format("the answer is larger than {} bytes", exchange.request.max_body));
    exchange.response.body.append(data, size);
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
    const auto& context = *static_cast<HeaderContext*>(user);
    Exchange& exchange = *context.exchange;
    exchange.last_byte = Clock::now();
    const bool ok = guarded(exchange, [&] {
        header_line(exchange, {data, size}, *context.options);
    });
    return ok && !exchange.declined ? size : 0;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
    const auto& context = *static_cast<HeaderContext*>(user);
    Exchange& exchange = *context.exchange;
    exchange.last_byte = Clock::now();
    if (exchange.redirect) {
        exchange.skipped += size;
        return exchange.skipped > max_redirect_body ? 0 : size;
    }
    bool has_room = true;
    const bool ok = guarded(exchange, [&] {
        has_room = takes_body(exchange, *context.limit);
        if (!has_room) return;
        body_bytes(exchange, data, size);
        if (exchange.sink) context.limit->took(size);
    });
    exchange.paused = ok && !has_room;
    if (exchange.paused) return CURL_WRITEFUNC_PAUSE;
    return ok ? size : 0;
}

void set_headers(Exchange& exchange, const HttpOptions& options) {
    Authorization authorization;
    if (exchange.origin == Origin::same &&
        exchange.request.authorization == HttpRequest::Authorization::by_prefix)
        authorization = authorization_for(exchange.url, options);
    exchange.response.token_withheld = authorization.withheld;
    const auto lines = header_lines(exchange.request, exchange.origin, authorization);
    curl_slist* list = nullptr;
    for (const auto& line : lines)
        list = curl_slist_append(list, line.c_str());
    exchange.header_list.reset(list);
    curl_easy_setopt(exchange.handle.get(), CURLOPT_HTTPHEADER, list);
}

void set_method(Exchange& exchange) {
    CURL* handle = exchange.handle.get();
    const std::string& method = exchange.method;
    if (method == "HEAD") {
        curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
        return;
    }
    const bool has_body = method != "GET" && (method == "POST" || !exchange.request.body.empty());
    if (has_body) {
        curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                         static_cast<curl_off_t>(exchange.request.body.size()));
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS, exchange.request.body.c_str());
    }
    if (method != "GET") curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, method.c_str());
}

void set_connection(Exchange& exchange, const HttpOptions& options, const std::string& bundle) {
    CURL* handle = exchange.handle.get();
    curl_easy_setopt(handle, CURLOPT_URL, exchange.url.to_string().c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);  // a stop must not wait for DNS
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &options);
    curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "podctl/" PODCTL_VERSION);
    curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, receive_buffer(exchange, options));
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(options.connect_timeout.count()));
    // HTTP/2 would put the bodies of one host on one TCP connection, at one connection's speed.
    const long version = exchange.sink ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS;
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, version);
    if (!bundle.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, bundle.c_str());
    // The pod's own services are not behind the proxy, whatever NO_PROXY forgets.
    if (is_loopback(exchange.url)) curl_easy_setopt(handle, CURLOPT_PROXY, "");
}

}  // namespace

struct HttpClient::State {
    explicit State(HttpOptions given);
    ~State();

    HttpClient::StreamId submit(std::shared_ptr<Exchange> exchange);
    void cancel(HttpClient::StreamId id);
    HttpResponse perform(std::shared_ptr<Exchange> exchange, std::stop_token stop);
    std::unique_ptr<Connection> connect(const Url& url, std::chrono::milliseconds timeout,
                                        const std::stop_token& stop);

    const HttpOptions options;
    TransferShare share;

private:
    struct Running {
        std::shared_ptr<Exchange> exchange;
        std::unique_ptr<HeaderContext> context;
    };

    void run();
    void begin(std::shared_ptr<Exchange> exchange);
    void add_handle(Running& running);
    void resume_paused();
    void finish_transfers();
    void finish(CURL* handle, CURLcode code);
    enum class Next { hop, end };
    Next transfer_ended(Running& running, CURLcode code);
    void drop_overdue();
    void complete(Exchange& exchange);
    int milliseconds_to_next_check() const;

    std::string bundle_;
    std::unique_ptr<CURLM, MultiDeleter> multi_;
    std::mutex mutex_;
    StreamId next_id_ = 1;  // under mutex_, as the next three
    std::vector<std::shared_ptr<Exchange>> arriving_;
    std::map<StreamId, std::shared_ptr<Exchange>> live_;  // from submit() to complete()
    bool ending_ = false;
    RateLimit limit_;               // the client's thread only
    std::vector<Running> running_;  // the client's thread only
    std::jthread thread_;
};

HttpClient::State::State(HttpOptions given)
    : options(std::move(given)), share(options.connections), limit_(options.limit_rate) {
    static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (initialised != CURLE_OK) throw Error{ErrorKind::internal, "libcurl does not start"};
    bundle_ = certificate_bundle();
    multi_.reset(curl_multi_init());
    if (!multi_) throw std::bad_alloc{};
    thread_ = std::jthread([this] { run(); });
}

HttpClient::State::~State() {
    {
        const std::scoped_lock lock(mutex_);
        ending_ = true;
    }
    curl_multi_wakeup(multi_.get());
    thread_.join();
}

HttpClient::StreamId HttpClient::State::submit(std::shared_ptr<Exchange> exchange) {
    exchange->url = checked_url(exchange->request.url);
    exchange->method = exchange->request.method;
    exchange->deadline = Clock::now() + exchange->request.timeout;
    StreamId id = 0;
    {
        const std::scoped_lock lock(mutex_);
        id = exchange->id = next_id_++;
        live_.emplace(id, exchange);
        arriving_.push_back(std::move(exchange));
    }
    curl_multi_wakeup(multi_.get());
    return id;
}

void HttpClient::State::cancel(StreamId id) {
    {
        const std::scoped_lock lock(mutex_);
        const auto found = live_.find(id);
        if (found == live_.end()) return;
        found->second->stopped = true;
    }
    curl_multi_wakeup(multi_.get());
}

// Not a std::promise: the client's thread must not be left with a share of the exception.
HttpResponse HttpClient::State::perform(std::shared_ptr<Exchange> exchange, std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable ended;
    bool done = false;
    HttpResponse answer;
    std::exception_ptr failure;
    exchange->on_end = [&](HttpResponse response, std::exception_ptr what) {
        const std::scoped_lock lock(mutex);
        answer = std::move(response);
        failure = std::move(what);
        done = true;
        ended.notify_one();
    };
    const StreamId id = submit(std::move(exchange));
    const std::stop_callback on_stop(stop, [&] { cancel(id); });
    std::unique_lock lock(mutex);
    ended.wait(lock, [&] { return done; });
    if (failure) std::rethrow_exception(failure);
    return answer;
}

void HttpClient::State::run() {
    while (true) {
        std::vector<std::shared_ptr<Exchange>> fresh;
        {
            const std::scoped_lock lock(mutex_);
            if (ending_) break;
            fresh.swap(arriving_);
        }
        for (auto& exchange : fresh)
            begin(std::move(exchange));
        limit_.refill();
        resume_paused();
        int active = 0;
        const auto before = Clock::now();
        curl_multi_perform(multi_.get(), &active);
        // Time that a callback took for one transfer is not held against the others.
        for (auto& running : running_)
            running.exchange->last_byte += Clock::now() - before;
        finish_transfers();
        drop_overdue();
        curl_multi_poll(multi_.get(), nullptr, 0, milliseconds_to_next_check(), nullptr);
    }
}

void HttpClient::State::begin(std::shared_ptr<Exchange> exchange) {
    Running running{exchange, std::make_unique<HeaderContext>(
                                  HeaderContext{exchange.get(), &options, &limit_})};
    exchange->handle.reset(curl_easy_init());
    if (guarded(*exchange, [&] { add_handle(running); }))
        running_.push_back(std::move(running));
    else
        complete(*exchange);
}

void HttpClient::State::add_handle(Running& running) {
    Exchange& exchange = *running.exchange;
    CURL* handle = exchange.handle.get();
    if (!handle) throw std::bad_alloc{};
    curl_easy_reset(handle);
    exchange.response = {};
    exchange.redirect.reset();
    exchange.headers_done = false;
    exchange.skipped = 0;
    exchange.error_text[0] = '\0';
    exchange.last_byte = Clock::now();
    set_connection(exchange, options, bundle_);
    set_method(exchange);
    set_headers(exchange, options);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, exchange.error_text.data());
    curl_easy_setopt(handle, CURLOPT_PRIVATE, &exchange);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, running.context.get());
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, running.context.get());
    if (const auto code = curl_multi_add_handle(multi_.get(), handle); code != CURLM_OK)
        throw Error{ErrorKind::internal, curl_multi_strerror(code)};
}

void HttpClient::State::resume_paused() {
    std::vector<CURL*> ready;
    for (auto& running : running_) {
        Exchange& exchange = *running.exchange;
        bool has_room = false;
        if (exchange.paused) guarded(exchange, [&] { has_room = takes_body(exchange, limit_); });
        if (has_room || exchange.failure) ready.push_back(exchange.handle.get());
    }
    for (CURL* handle : ready) {
        // This hands over what had come, so it can fail as any other part of a transfer.
        const CURLcode code = curl_easy_pause(handle, CURLPAUSE_CONT);
        if (code != CURLE_OK) finish(handle, code);
    }
}

void HttpClient::State::finish_transfers() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left))
        if (message->msg == CURLMSG_DONE) finish(message->easy_handle, message->data.result);
}

void HttpClient::State::finish(CURL* handle, CURLcode code) {
    curl_multi_remove_handle(multi_.get(), handle);
    const auto found = std::ranges::find_if(
        running_, [&](const Running& one) { return one.exchange->handle.get() == handle; });
    const auto exchange = found->exchange;
    Next next = Next::end;
    guarded(*exchange, [&] { next = transfer_ended(*found, code); });
    if (next == Next::hop) return;
    running_.erase(found);
    complete(*exchange);
}

HttpClient::State::Next HttpClient::State::transfer_ended(Running& running, CURLcode code) {
    Exchange& exchange = *running.exchange;
    if (exchange.failure) return Next::end;
    // A redirect's own body does not matter, not even when it was cut.
    if (const auto redirect = std::exchange(exchange.redirect, std::nullopt)) {
        if (++exchange.redirects > max_redirects)
            // No fault that passes.
            throw Error{ErrorKind::not_found,
                        fmt::format("{}: more than {} redirects", shown(exchange.url.to_string()),
                                    max_redirects),
                        "check the URL; a login may be needed there"};
        exchange.url = redirect->url;
        exchange.method = redirect->method;
        if (redirect->origin == Origin::crossed) exchange.origin = Origin::crossed;
        add_handle(running);
        return Next::hop;
    }
    if (code != CURLE_OK && !exchange.declined) throw curl_error(exchange, code);
    return Next::end;
}

void HttpClient::State::drop_overdue() {
    const auto now = Clock::now();
    for (std::size_t i = 0; i < running_.size();) {
        const auto owned = running_[i].exchange;
        Exchange& exchange = *owned;
        const bool late = exchange.deadline && now >= *exchange.deadline;
        const bool stalled = exchange.headers_done && !exchange.paused &&
                             now - exchange.last_byte >= options.stall_timeout;
        if (!exchange.stopped && !late && !stalled) {
            ++i;
            continue;
        }
        curl_multi_remove_handle(multi_.get(), exchange.handle.get());
        running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
        if (exchange.stopped)
            exchange.failure = std::make_exception_ptr(Error{ErrorKind::interrupted, "stopped"});
        else
            exchange.failure = std::make_exception_ptr(network_error(
                exchange,
                late ? fmt::format("no whole answer within {} ms", exchange.request.timeout.count())
                     : fmt::format("no byte came for {} ms", options.stall_timeout.count())));
        complete(exchange);
    }
}

void HttpClient::State::complete(Exchange& exchange) {
    exchange.handle.reset();
    {
        const std::scoped_lock lock(mutex_);
        live_.erase(exchange.id);
    }
    // Nothing of the failure stays with this thread.
    exchange.on_end(std::move(exchange.response), std::exchange(exchange.failure, nullptr));
}

int HttpClient::State::milliseconds_to_next_check() const {
    auto wait = std::chrono::milliseconds{1'000};
    const auto now = Clock::now();
    const auto until = [&](Clock::time_point time) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(time - now);
        wait = std::clamp(left, std::chrono::milliseconds{0}, wait);
    };
    for (const auto& running : running_) {
        if (running.exchange->deadline) until(*running.exchange->deadline);
        if (running.exchange->paused) wait = std::min(wait, pause_check);
        if (running.exchange->headers_done && !running.exchange->paused)
            until(running.exchange->last_byte + options.stall_timeout);
    }
    return static_cast<int>(wait.count());
}

// A handle that does no more than to connect (CURLOPT_CONNECT_ONLY).
struct Connection::State {
    explicit State(const Url& url) : exchange(HttpRequest{.url = url.to_string()}) {
        exchange.url = url;
        exchange.handle.reset(curl_easy_init());
        if (!exchange.handle) throw std::bad_alloc{};
    }
    CURL* handle() const { return exchange.handle.get(); }
    void connect(std::chrono::milliseconds timeout, const std::stop_token& stop);
    // False: the time is over, or a stop was requested.
    bool wait(short events, std::chrono::milliseconds time, const std::stop_token& stop) const;

    Exchange exchange;
    curl_socket_t socket = CURL_SOCKET_BAD;
};

namespace {

int end_when_stopped(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<const std::stop_token*>(user)->stop_requested() ? 1 : 0;
}

}  // namespace

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

bool Connection::State::wait(short events, std::chrono::milliseconds time,
                             const std::stop_token& stop) const {
    const Fd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    const std::stop_callback on_stop(stop, [&] { ::eventfd_write(wake.get(), 1); });
    std::array<pollfd, 2> ready{pollfd{socket, events, 0}, pollfd{wake.get(), POLLIN, 0}};
    const auto bounded = std::min<std::chrono::milliseconds::rep>(time.count(), 60'000);
    return ::poll(ready.data(), ready.size(), static_cast<int>(bounded)) > 0 &&
           !stop.stop_requested();
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
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
        const bool is_ready = left.count() > 0 && state_->wait(POLLIN, left, stop);
        if (stop.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
        if (!is_ready && Clock::now() >= end) return 0;
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
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
        if (sent == 0 && (left.count() <= 0 || !state_->wait(POLLOUT, left, {})))
            throw network_error(state_->exchange, "nothing can be sent");
    }
}

std::unique_ptr<Connection> HttpClient::State::connect(const Url& url,
                                                       std::chrono::milliseconds timeout,
                                                       const std::stop_token& stop) {
    auto state = std::make_unique<Connection::State>(url);
    set_connection(state->exchange, options, bundle_);
    state->connect(timeout, stop);
    return std::make_unique<Connection>(std::move(state));
}

HttpClient::HttpClient(HttpOptions options) : state_(std::make_unique<State>(std::move(options))) {}

HttpClient::~HttpClient() = default;

HttpResponse HttpClient::send(const HttpRequest& request, std::stop_token stop) {
    return state_->perform(std::make_shared<Exchange>(request), stop);
}

HttpResponse HttpClient::stream(const HttpRequest& request, const Sink& sink,
                                std::stop_token stop) {
    return state_->perform(std::make_shared<Exchange>(request, sink), stop);
}

HttpClient::StreamId HttpClient::start(HttpRequest request, Sink sink) {
    return state_->submit(std::make_shared<Exchange>(std::move(request), std::move(sink)));
}

void HttpClient::cancel(StreamId id) {
    state_->cancel(id);
}

std::unique_ptr<Connection> HttpClient::connect(const Url& url, std::chrono::milliseconds timeout,
                                                const std::stop_token& stop) {
    return state_->connect(url, timeout, stop);
}

const HttpOptions& HttpClient::options() const {
    return state_->options;
}

TransferShare& HttpClient::share() {
    return state_->share;
}

std::optional<std::string> HttpResponse::header(std::string_view name) const {
    for (const auto& [key, value] : headers)
        if (key == name) return value;
    return std::nullopt;
}

}  // namespace podctl::fetch

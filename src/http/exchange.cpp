#include "exchange.hpp"

#include "podctl/base/host.hpp"
#include "podctl/base/names.hpp"
#include "podctl/http/url_rules.hpp"

#include "proxy.hpp"
#include "reach.hpp"

#include <fmt/core.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

namespace podctl::http {
namespace {

constexpr std::size_t max_redirect_body = 64 << 10;
// Of one hop, interim answers and trailers with it. libcurl's own bounds are near (a line of 100
// KiB, 300 KiB together), but differ from one version to the next, and trailers have none.
constexpr std::size_t max_header_bytes = 256 << 10;
constexpr std::size_t max_header_lines = 2'000;
// curl's own 16 KiB costs throughput. All of them together are bounded.
constexpr long largest_receive_buffer = 512 << 10;
constexpr long all_receive_buffers = 4 << 20;
constexpr long message_receive_buffer = 64 << 10;

// Under a limit the kernel must not take in much more than was asked for: it is lost with the
// process, and was paid for.
curl_socket_t open_socket(void* user, curlsocktype, curl_sockaddr* address) {
    auto& exchange = *static_cast<Exchange*>(user);
    // Here rather than by a look-up of ours: a name may resolve to another address each time.
    if (exchange.judges_address && is_internal_address(address->addr)) {
        exchange.is_out_of_reach = true;
        return CURL_SOCKET_BAD;
    }
    const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd >= 0 && exchange.limit_rate > 0) {
        const int buffer =
            static_cast<int>(std::clamp<std::uint64_t>(exchange.limit_rate / 8, 64 << 10, 4 << 20));
        ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    }
    return fd;
}

// A connection that was opened for somebody else's request may be used again.
int before_request(void* user, char* address, char*, int, int) {
    auto& exchange = *static_cast<Exchange*>(user);
    if (!exchange.judges_address || !is_internal_address(address)) return CURL_PREREQFUNC_OK;
    exchange.is_out_of_reach = true;
    return CURL_PREREQFUNC_ABORT;
}

long receive_buffer(const Exchange& exchange, const Options& options) {
    if (!exchange.sink) return message_receive_buffer;
    return std::clamp(all_receive_buffers / static_cast<long>(options.connections),
                      message_receive_buffer, largest_receive_buffer);
}

Error headers_too_large(const Exchange& exchange) {
    return network_error(exchange, "the headers of the answer are too large",
                         "what answers there is no working web server, or a proxy adds to it");
}

// No fault that passes, and none of the server's: it was never asked.
Error proxy_wants_login(const Exchange& exchange, const Proxy& proxy) {
    return Error{ErrorKind::unauthorized,
                 fmt::format("{}: the proxy {} asks for a login (407)",
                             shown(exchange.url.to_string()), shown(proxy)),
                 has_login(proxy)
                     ? fmt::format("it refuses the one that ${} has", proxy.variable)
                     : fmt::format("{}=http://USER:PASSWORD@HOST:PORT gives one", proxy.variable)};
}

void headers_complete(Exchange& exchange, const Options& options) {
    exchange.headers_done = true;
    if (exchange.response.status == 407)
        if (const auto proxy = proxy_for(exchange.url)) throw proxy_wants_login(exchange, *proxy);
    exchange.response.url = exchange.url.to_string();
    const char* address = nullptr;
    curl_easy_getinfo(exchange.handle.get(), CURLINFO_PRIMARY_IP, &address);
    exchange.keeps_to_internet |= is_on_internet(exchange.url, address ? address : "");
    exchange.response.from_internet = exchange.keeps_to_internet;
    if (exchange.request.redirects == Request::Redirects::follow)
        exchange.redirect = redirect_of(exchange.response, exchange.url, exchange.method, options);
    if (exchange.redirect || !exchange.sink) return;
    exchange.deadline.reset();
    exchange.declined = !exchange.sink->on_headers(exchange.response);
}

void header_line(Exchange& exchange, std::string_view line, const Options& options) {
    exchange.header_bytes += line.size();
    if (exchange.header_bytes > max_header_bytes || ++exchange.header_lines > max_header_lines)
        throw headers_too_large(exchange);
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
    if (!exchange.headers_done) throw no_answer(exchange);
    if (exchange.sink) return exchange.sink->on_body(data, size);
    if (exchange.response.body.size() + size > exchange.request.max_body)
        throw network_error(
            exchange, fmt::format("the answer is larger than {} bytes", exchange.request.max_body));
    exchange.response.body.append(data, size);
}

// What the rest of podctl takes while it is told of one transfer.
class CallbackTime {
public:
    explicit CallbackTime(Exchange::Clock::duration& sum) : sum_(sum) {}
    ~CallbackTime() { sum_ += Exchange::Clock::now() - from_; }
    CallbackTime(const CallbackTime&) = delete;
    CallbackTime& operator=(const CallbackTime&) = delete;

private:
    Exchange::Clock::duration& sum_;
    Exchange::Clock::time_point from_ = Exchange::Clock::now();
};

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
    const auto& context = *static_cast<ExchangeContext*>(user);
    Exchange& exchange = *context.exchange;
    // A trailer is no byte of the answer: there may be one every now and then.
    if (!exchange.headers_done) exchange.last_byte = Exchange::Clock::now();
    const CallbackTime time{*context.in_callbacks};
    const bool ok = guarded(exchange, [&] {
        header_line(exchange, {data, size}, *context.options);
    });
    return ok && !exchange.declined ? size : 0;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
    const auto& context = *static_cast<ExchangeContext*>(user);
    Exchange& exchange = *context.exchange;
    // An empty chunk of a chunked answer is nothing that came.
    if (size > 0) exchange.last_byte = Exchange::Clock::now();
    const CallbackTime time{*context.in_callbacks};
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

void set_headers(Exchange& exchange, const Options& options) {
    Authorization authorization;
    if (exchange.origin == Origin::same &&
        exchange.request.authorization == Request::Authorization::by_prefix)
        authorization = authorization_for(exchange.url, options);
    exchange.response.token_withheld = authorization.withheld;
    auto lines = header_lines(exchange.request, exchange.origin, authorization);
    // As a token, none goes to where a redirect leads.
    if (exchange.origin == Origin::same)
        std::ranges::move(placed_header_lines(exchange.url, options), std::back_inserter(lines));
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

}  // namespace

Error network_error(const Exchange& exchange, const std::string& what, std::string hint) {
    return Error{ErrorKind::network, fmt::format("{}: {}", shown(exchange.url.to_string()), what),
                 std::move(hint)};
}

Error no_answer(const Exchange& exchange) {
    return network_error(exchange, fmt::format("no answer came, but HTTP {} (one on the way)",
                                               exchange.response.status));
}

namespace {

// What went wrong before the server was reached; nullopt: it was not that.
std::optional<Error> proxy_error(const Exchange& exchange, CURLcode code, const std::string& what) {
    const auto proxy = proxy_for(exchange.url);
    if (!proxy) return std::nullopt;
    long status = 0;
    curl_easy_getinfo(exchange.handle.get(), CURLINFO_HTTP_CONNECTCODE, &status);
    if (status == 407) return proxy_wants_login(exchange, *proxy);
    if (status >= 300)
        return network_error(exchange,
                             fmt::format("the proxy {} answers {}", shown(*proxy), status),
                             "it lets nobody through to that host: ask who runs it, or set a "
                             "mirror");
    if (code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_PROXY && code != CURLE_PROXY)
        return std::nullopt;
    return network_error(exchange, fmt::format("by the proxy {}: {}", shown(*proxy), what),
                         fmt::format("check ${}; NO_PROXY excepts hosts from it", proxy->variable));
}

}  // namespace

Error curl_error(const Exchange& exchange, CURLcode code) {
    if (exchange.is_out_of_reach) return out_of_reach(exchange.url);
    const std::string what =
        exchange.error_text[0] ? exchange.error_text.data() : curl_easy_strerror(code);
    if (const auto error = proxy_error(exchange, code, what)) return *error;
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
#if LIBCURL_VERSION_NUM >= 0x080600
        case CURLE_TOO_LARGE:
#endif
            // libcurl before 8.6 says of a line beyond its bound that there was no memory for it.
            // Which of the two it was nobody can tell, and no answer may end the process.
            return headers_too_large(exchange);
        default:
            return network_error(exchange, what);
    }
}

bool takes_body(const Exchange& exchange, const RateLimit& limit) {
    if (!exchange.sink) return true;
    return limit.allows() && (!exchange.sink->has_room || exchange.sink->has_room());
}

void set_connection(Exchange& exchange, const Options& options, const std::string& bundle) {
    CURL* handle = exchange.handle.get();
    curl_easy_setopt(handle, CURLOPT_URL, exchange.url.to_string().c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);  // a stop must not wait for DNS
    exchange.limit_rate = options.limit_rate;
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &exchange);
    curl_easy_setopt(handle, CURLOPT_PREREQFUNCTION, before_request);
    curl_easy_setopt(handle, CURLOPT_PREREQDATA, &exchange);
    curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "podctl/" PODCTL_VERSION);
    curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, receive_buffer(exchange, options));
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(options.connect_timeout.count()));
    // HTTP/2 would put the bodies of one host on one TCP connection, at one connection's speed.
    const long version = exchange.sink ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS;
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, version);
    if (!bundle.empty()) {
        curl_easy_setopt(handle, CURLOPT_CAINFO, bundle.c_str());
        curl_easy_setopt(handle, CURLOPT_PROXY_CAINFO, bundle.c_str());
    }
    // Set, and be it to nothing, so that libcurl reads no variable itself.
    const auto proxy = proxy_for(exchange.url);
    curl_easy_setopt(handle, CURLOPT_PROXY, proxy ? proxy->url.c_str() : "");
    curl_easy_setopt(handle, CURLOPT_NOPROXY, "");
}

void prepare(ExchangeContext& context, const std::string& bundle) {
    Exchange& exchange = *context.exchange;
    CURL* handle = exchange.handle.get();
    if (!handle) throw std::bad_alloc{};
    curl_easy_reset(handle);
    exchange.response = {};
    exchange.redirect.reset();
    exchange.headers_done = false;
    exchange.skipped = exchange.header_bytes = exchange.header_lines = 0;
    exchange.error_text[0] = '\0';
    exchange.is_out_of_reach = false;
    if (exchange.keeps_to_internet) check_reach(exchange.url, *context.options);
    exchange.judges_address =
        exchange.keeps_to_internet && is_judged_by_address(exchange.url, *context.options);
    exchange.last_byte = Exchange::Clock::now();
    set_connection(exchange, *context.options, bundle);
    set_method(exchange);
    set_headers(exchange, *context.options);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, exchange.error_text.data());
    curl_easy_setopt(handle, CURLOPT_PRIVATE, &exchange);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &context);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &context);
}

}  // namespace podctl::http

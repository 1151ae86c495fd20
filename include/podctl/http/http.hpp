#pragma once

#include "podctl/base/secret.hpp"
#include "podctl/base/url.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podctl::http {

// A token and the one place it may be sent to (spec §2, "Where a token may go").
struct Credential {
    std::string url_prefix = {};  // "https://civitai.com/", or its mirror's prefix
    Secret token = {};            // sent as Authorization: Bearer
    std::string name = {};        // of the secret, for messages
};

// A header that its user gives to one place: what a proxy there lets its requests in by.
struct PlacedHeader {
    std::string url_prefix = {};  // "https://pod.example/"
    std::string name = {};
    Secret value = {};
};

struct Request {
    std::string url = {};  // after mirrors
    std::string method = "GET";
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
    std::chrono::milliseconds timeout{30'000};  // for the whole exchange
    // In place of Options::stall_timeout.
    std::optional<std::chrono::milliseconds> stall_timeout = {};
    // Of send(): a larger answer is Error{network}. An API's answer; whoever asks for more says so.
    std::size_t max_body = 8u << 20;
    enum class Redirects { follow, report } redirects = Redirects::follow;
    // `none` for a URL that a redirect gave: no token may go to its origin.
    enum class Authorization { by_prefix, none } authorization = Authorization::by_prefix;
    // `internet` for a URL that an answer from the internet gave (Response::from_internet): its
    // host must not be in the networks around this machine, by its name or by the address that is
    // connected to, or it is Error{not_found}. A redirect from the internet is held to that anyway.
    enum class Reach { anywhere, internet } reach = Reach::anywhere;
    // Asked ten times a second until somebody answers: no debug line tells of each try.
    bool is_try = false;
};

struct Response {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers = {};  // names in lower case
    std::string body = {};
    std::string url = {};         // where the answer came from, after redirects
    bool token_withheld = false;  // a token is there, but would have gone over plain http
    // A host on the internet has given it, or has redirected to who did. Behind a proxy, which
    // alone resolves names, that is every host but an address that says otherwise.
    bool from_internet = false;

    std::optional<std::string> header(std::string_view name) const;
};

struct Options {
    std::vector<Credential> credentials = {};
    std::vector<PlacedHeader> headers = {};
    // Plain http carries a token to loopback only, unless the user says otherwise
    // (--insecure-http).
    enum class InsecureHttp { refuse, allow } insecure_http = InsecureHttp::refuse;
    // Where the user's own mirrors are (their targets): what the internet names may be there.
    std::vector<std::string> own_places = {};
    std::chrono::milliseconds connect_timeout{15'000};
    std::chrono::milliseconds stall_timeout{30'000};  // no byte for so long: the connection is cut
    // What all downloads share: bodies at once, and bytes a second of all bodies (0: no limit).
    unsigned connections = 16;
    std::uint64_t limit_rate = 0;
};

// What of the credentials is for a URL: the one with the longest prefix that covers it.
struct Authorization {
    const Secret* token = nullptr;  // points into the options
    bool withheld = false;          // there is one, but it would go over plain http
    std::string name = {};          // Credential::name
};
Authorization authorization_for(const Url& url, const Options& options);
// The lines of Options::headers for a URL, "Name: value". They go where a token may go, since what
// opens a door is one. Throws Error{usage} for what is no header.
std::vector<std::string> placed_header_lines(const Url& url, const Options& options);
// Over https, to loopback, or wherever --insecure-http says.
bool may_carry_token(const Url& url, const Options& options);

class Connection;  // src/http/connection.hpp

// One thread that owns every curl handle but those of connect(). send() and stream() block the
// caller, start() does not; all may be called by any thread at once. Authorization goes by
// Options::credentials and never to the target of a redirect with another origin;
// Accept-Encoding is always identity; User-Agent is podctl/X.Y.
class Client {
public:
    explicit Client(Options options = {});
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // Any status is a value. Throws Error{network} when no answer came, Error{interrupted}.
    Response send(const Request& request, std::stop_token stop = {});

    // For bodies that do not belong in memory. on_headers sees the final answer (after redirects)
    // before its body and says whether to go on; on_body gets the bytes, on the client's thread:
    // both must be quick, and what they throw comes out of stream(). While has_room says no, the
    // body waits in the network and other exchanges go on. The timeout bounds only the time to the
    // headers.
    struct Sink {
        std::function<bool(const Response&)> on_headers;
        std::function<void(const char* data, std::size_t size)> on_body;
        std::function<bool()> has_room = {};
        // Last and once: the answer without its body, or what stream() would throw.
        std::function<void(Response, std::exception_ptr)> on_end = {};
    };
    // Returns the answer without its body. Throws Error{network} also when the body was cut short.
    Response stream(const Request& request, const Sink& sink, std::stop_token stop = {});

    // As stream(), without waiting: the sink's functions are called until on_end() was.
    using StreamId = std::uint64_t;
    StreamId start(Request request, Sink sink);
    // Ends a stream, if it has not ended: on_end() gets Error{interrupted}.
    void cancel(StreamId id);

    // Bytes to and from the origin of `url`, for a protocol that begins with a request's head. The
    // caller's thread connects, and owns what it gets. Throws Error{network}, Error{interrupted}.
    std::unique_ptr<Connection> connect(const Url& url, std::chrono::milliseconds timeout,
                                        const std::stop_token& stop);

    const Options& options() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace podctl::http

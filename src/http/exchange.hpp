#pragma once

#include "podctl/base/error.hpp"
#include "podctl/http/http.hpp"

#include "http_rules.hpp"
#include "rate_limit.hpp"

#include <curl/curl.h>

#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>

// One request and its answer over a handle of libcurl. Beside http.cpp, which drives them, and
// connection.cpp, no file knows libcurl.
namespace podctl::http {

struct EasyDeleter {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// One call of send(), stream() or start(): a chain of hops, each the same easy handle with another
// URL. From submit() on only the client's thread touches it, but for `stopped`.
struct Exchange {
    using Clock = std::chrono::steady_clock;

    explicit Exchange(Request asked, std::optional<Client::Sink> reader = {})
        : request(std::move(asked)), sink(std::move(reader)) {
        if (sink) on_end = sink->on_end;
        keeps_to_internet = request.reach == Request::Reach::internet;
    }

    Request request;
    std::optional<Client::Sink> sink;  // none: the body goes into the response
    // Called last, by the client's thread.
    std::function<void(Response, std::exception_ptr)> on_end = {};
    Client::StreamId id = 0;
    std::atomic<bool> stopped = false;

    Url url = {};
    std::string method = {};
    Origin origin = Origin::same;
    int redirects = 0;
    std::unique_ptr<CURL, EasyDeleter> handle = {};
    std::unique_ptr<curl_slist, ListDeleter> header_list = {};
    std::array<char, CURL_ERROR_SIZE> error_text = {};

    // What is asked next was named by the internet; whether its addresses are judged, and whether
    // one of them was refused.
    bool keeps_to_internet = false, judges_address = false, is_out_of_reach = false;
    std::uint64_t limit_rate = 0;

    Response response = {};
    std::optional<Redirect> redirect = {};  // of the answer whose headers have come
    bool headers_done = false;
    bool paused = false;                             // the sink has no room
    bool declined = false;                           // the sink does not want the body
    std::size_t skipped = 0;                         // of a redirect's body
    std::size_t header_bytes = 0, header_lines = 0;  // of this hop
    Clock::time_point asked = {};
    std::optional<Clock::time_point> deadline = {};
    Clock::time_point last_byte = {};
    std::exception_ptr failure = {};
};

struct ExchangeContext {
    Exchange* exchange;
    const Options* options;
    RateLimit* limit;
    Exchange::Clock::duration* in_callbacks;  // of all transfers, since the client's last turn
};

// A body waits in the network while its reader has no room or the limit is used up.
bool takes_body(const Exchange& exchange, const RateLimit& limit);

// What every handle has: where it connects to and how, with the file of certificates to trust
// (empty: libcurl's own).
void set_connection(Exchange& exchange, const Options& options, const std::string& bundle);
// The handle made ready for the exchange's next hop; `context` has to outlive it. Throws
// std::bad_alloc, and Error{not_found} for a place that the internet must not name.
void prepare(ExchangeContext& context, const std::string& bundle);

// libcurl ends with an answer on the way (101) that nobody asked for, and takes what follows for a
// body.
Error no_answer(const Exchange& exchange);

Error network_error(const Exchange& exchange, const std::string& what, std::string hint = {});
Error curl_error(const Exchange& exchange, CURLcode code);

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

}  // namespace podctl::http

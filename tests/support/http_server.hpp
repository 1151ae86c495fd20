#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podctl::test {

// A request as the server saw it.
struct Request {
    std::string method;
    std::string target;  // path and query, as sent
    std::string path;    // percent-decoded, without the query
    std::string query;
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
    std::string body;  // Content-Length and chunked bodies are both read

    std::optional<std::string> header(std::string_view name) const;
    // Of the query, percent-decoded; empty: it has no such parameter.
    std::string parameter(std::string_view name) const;
};

// A connection after an answer of 101: bytes of another protocol.
class Upgraded {
public:
    virtual ~Upgraded() = default;
    // False: the client is gone, or the server stops.
    virtual bool send(std::string_view bytes) = 0;
    // Appends what came.
    virtual bool receive(std::string& into) = 0;
    // False when the server stops before.
    virtual bool pause(std::chrono::milliseconds time) = 0;
};

// What to answer, and how to go wrong while doing so.
struct Response {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
    // Faults.
    std::optional<std::size_t> cut_after = {};  // close the connection after so many body bytes
    std::optional<std::size_t> stall_after =
        {};  // send so many body bytes, then nothing until the server stops
    std::optional<std::uint64_t> content_length =
        {};  // the length to claim in place of the true one
    std::optional<std::size_t> bytes_per_second = {};  // a slow body
    // With status 101: what goes on until it returns, on the connection's own thread.
    std::function<void(Upgraded&)> upgraded = {};
};

// A small real HTTP/1.1 server on 127.0.0.1 (or [::1]) with keep-alive, a thread per connection.
// The handler is called by several threads at once. Stops, and joins, in the destructor.
class HttpServer {
public:
    using Handler = std::function<Response(const Request&)>;
    explicit HttpServer(Handler handler);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    std::uint16_t port() const;
    // "http://127.0.0.1:PORT" + path.
    std::string url(std::string_view path = "") const;
    std::vector<Request> requests() const;  // all so far
    std::uint64_t body_bytes_sent() const;  // of answers
    std::size_t most_bodies_at_once() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// A file served as a good server does: ETag, Last-Modified, Accept-Ranges, Range and If-Range,
// HEAD.
Response serve_bytes(const Request& request, const std::string& bytes,
                     const std::string& etag = "\"1\"");

// Serves the files of a folder (with serve_bytes; a folder's index.html for "/").
HttpServer::Handler serve_folder(const std::string& folder);

}  // namespace podctl::test

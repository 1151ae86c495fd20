#include "support/http_server.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/url.hpp"

#include "support/parse_number.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace podctl::test {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

std::optional<std::string> find_header(const Headers& headers, std::string_view name) {
    for (const auto& [key, value] : headers)
        if (to_lower(key) == to_lower(name)) return value;
    return std::nullopt;
}

std::string_view reason_phrase(int status) {
    static const std::map<int, std::string_view> phrases{
        {101, "Switching Protocols"}, {200, "OK"},
        {206, "Partial Content"},     {302, "Found"},
        {304, "Not Modified"},        {307, "Temporary Redirect"},
        {401, "Unauthorized"},        {403, "Forbidden"},
        {404, "Not Found"},           {416, "Range Not Satisfiable"},
        {429, "Too Many Requests"},   {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };
    const auto found = phrases.find(status);
    return found == phrases.end() ? "Whatever" : found->second;
}

void set_target(Request& request, std::string target) {
    request.target = std::move(target);
    std::string_view rest = request.target;
    // The absolute form is what a client sends to a proxy.
    if (const auto scheme = rest.find("://"); scheme != rest.npos && rest.front() != '/') {
        const auto slash = rest.find('/', scheme + 3);
        rest = slash == rest.npos ? "/" : rest.substr(slash);
    }
    const auto question = rest.find('?');
    request.path = percent_decode(rest.substr(0, question));
    if (question != rest.npos) request.query = rest.substr(question + 1);
}

// nullopt: not a request line.
std::optional<Request> parse_head(std::string_view head) {
    Request request;
    bool first = true;
    for (const auto& raw : split(head, '\n')) {
        const std::string_view line = trim(raw);
        if (line.empty()) continue;
        if (first) {
            const auto words = split(line, ' ');
            if (words.size() != 3) return std::nullopt;
            request.method = words[0];
            set_target(request, words[1]);
            first = false;
            continue;
        }
        const auto colon = line.find(':');
        if (colon == line.npos) return std::nullopt;
        request.headers.emplace_back(to_lower(line.substr(0, colon)),
                                     std::string(trim(line.substr(colon + 1))));
    }
    if (first) return std::nullopt;
    return request;
}

// One client's connection; every wait ends when the server stops.
class Connection : public Upgraded {
public:
    Connection(Fd socket, int stop_fd) : socket_(std::move(socket)), stop_fd_(stop_fd) {}

    // The next request; nullopt when the client is gone or the server stops.
    std::optional<Request> next() {
        const auto end = read_until("\r\n\r\n");
        if (!end) return std::nullopt;
        auto request = parse_head(std::string_view(buffer_).substr(0, *end));
        buffer_.erase(0, *end + 4);
        if (!request) return std::nullopt;
        if (request->header("expect") && !send("HTTP/1.1 100 Continue\r\n\r\n"))
            return std::nullopt;
        if (!read_body(*request)) return std::nullopt;
        return request;
    }

    bool send(std::string_view bytes) override {
        while (!bytes.empty()) {
            if (!wait(POLLOUT)) return false;
            const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent < 0 && (errno == EINTR || errno == EAGAIN)) continue;
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    // What the kernel has taken counts as sent, so a slow server must not hand it megabytes.
    void keep_little_on_its_way() {
        const int size = 64 << 10;
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }

    // Until the server stops or the client goes away.
    void wait_for_end() {
        std::string ignored;
        while (receive_more(ignored)) {
        }
    }

    bool pause(std::chrono::milliseconds time) override {
        pollfd stop{stop_fd_, POLLIN, 0};
        return ::poll(&stop, 1, static_cast<int>(time.count())) == 0;
    }

    bool receive(std::string& into) override {
        if (buffer_.empty()) return receive_more(into);
        into += std::exchange(buffer_, {});
        return true;
    }

private:
    bool wait(short events) {
        pollfd fds[2] = {{socket_.get(), events, 0}, {stop_fd_, POLLIN, 0}};
        while (::poll(fds, 2, -1) < 0)
            if (errno != EINTR) return false;
        return fds[1].revents == 0;
    }

    bool receive_more(std::string& into) {
        char block[65536];
        while (wait(POLLIN)) {
            const auto got = ::recv(socket_.get(), block, sizeof block, 0);
            if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
            if (got <= 0) return false;
            into.append(block, static_cast<std::size_t>(got));
            return true;
        }
        return false;
    }

    std::optional<std::size_t> read_until(std::string_view mark) {
        while (true) {
            if (const auto at = buffer_.find(mark); at != std::string::npos) return at;
            if (!receive_more(buffer_)) return std::nullopt;
        }
    }

    bool take(std::size_t size, std::string& into) {
        while (buffer_.size() < size)
            if (!receive_more(buffer_)) return false;
        into.append(buffer_, 0, size);
        buffer_.erase(0, size);
        return true;
    }

    bool read_body(Request& request) {
        if (to_lower(request.header("transfer-encoding").value_or("")) == "chunked")
            return read_chunks(request.body);
        const auto length =
            parse_number<std::size_t>(request.header("content-length").value_or("0"));
        return length && take(*length, request.body);
    }

    bool read_chunks(std::string& body) {
        while (true) {
            const auto end = read_until("\r\n");
            if (!end) return false;
            const auto line = buffer_.substr(0, *end);
            buffer_.erase(0, *end + 2);
            const auto size = parse_number<std::size_t>(trim(split(line, ';')[0]), 16);
            std::string line_end;
            if (!size || !take(*size, body) || !take(2, line_end)) return false;
            if (*size == 0) return true;
        }
    }

    Fd socket_;
    int stop_fd_;
    std::string buffer_;
};

bool has_body(const Request& request, int status) {
    return request.method != "HEAD" && status >= 200 && status != 204 && status != 304;
}

std::string head_of(const Request& request, const Response& response) {
    std::string head =
        fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
    for (const auto& [name, value] : response.headers)
        head += fmt::format("{}: {}\r\n", name, value);
    const bool framed = find_header(response.headers, "content-length") ||
                        find_header(response.headers, "transfer-encoding");
    if (!framed && (has_body(request, response.status) || request.method == "HEAD"))
        head += fmt::format("Content-Length: {}\r\n",
                            response.content_length.value_or(response.body.size()));
    return head + "\r\n";
}

std::string chunked(const std::string& body) {
    std::string out;
    if (!body.empty()) out = fmt::format("{:x}\r\n{}\r\n", body.size(), body);
    return out + "0\r\n\r\n";
}

sockaddr* as_sockaddr(sockaddr_in& address) {
    return reinterpret_cast<sockaddr*>(&address);
}

}  // namespace

struct HttpServer::State {
    Handler handler;
    Fd listener;
    Fd stop_event;
    std::uint16_t port = 0;
    mutable std::mutex mutex;
    std::vector<Request> requests;
    std::vector<std::jthread> connections;
    std::atomic<std::uint64_t> body_bytes{0};
    std::size_t bodies = 0, most_bodies = 0;  // under mutex
    std::jthread acceptor;

    void listen();
    void accept_all();
    void serve(Fd socket);
    bool answer(Connection& connection, const Request& request);
    bool send_body(Connection& connection, const Response& response, std::string_view body);
};

void HttpServer::State::listen() {
    listener = Fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (!listener || ::bind(listener.get(), as_sockaddr(address), size) != 0 ||
        ::listen(listener.get(), 128) != 0 ||
        ::getsockname(listener.get(), as_sockaddr(address), &size) != 0)
        throw std::system_error(errno, std::generic_category(), "test server");
    port = ntohs(address.sin_port);
    stop_event = Fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
}

void HttpServer::State::accept_all() {
    while (true) {
        pollfd fds[2] = {{listener.get(), POLLIN, 0}, {stop_event.get(), POLLIN, 0}};
        if (::poll(fds, 2, -1) < 0) continue;
        if (fds[1].revents != 0) return;
        Fd socket{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
        if (!socket) continue;
        const int on = 1;
        ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const std::scoped_lock lock(mutex);
        connections.emplace_back(
            [this, owned = std::move(socket)]() mutable { serve(std::move(owned)); });
    }
}

void HttpServer::State::serve(Fd socket) {
    Connection connection(std::move(socket), stop_event.get());
    while (auto request = connection.next()) {
        {
            const std::scoped_lock lock(mutex);
            requests.push_back(*request);
        }
        if (!answer(connection, *request)) return;
    }
}

// False: the connection is to be closed.
bool HttpServer::State::answer(Connection& connection, const Request& request) {
    Response response;
    try {
        response = handler(request);
    } catch (const std::exception& error) {
        response = {.status = 500, .body = error.what()};
    }
    if (!connection.send(head_of(request, response))) return false;
    if (response.status == 101) {
        if (response.upgraded) response.upgraded(connection);
        return false;
    }
    if (!has_body(request, response.status)) return true;
    const bool in_chunks =
        to_lower(find_header(response.headers, "transfer-encoding").value_or("")) == "chunked";
    {
        const std::scoped_lock lock(mutex);
        most_bodies = std::max(most_bodies, ++bodies);
    }
    const bool sent =
        send_body(connection, response, in_chunks ? chunked(response.body) : response.body);
    {
        const std::scoped_lock lock(mutex);
        --bodies;
    }
    if (!sent) return false;
    const bool lied = response.content_length && *response.content_length != response.body.size();
    return !lied && to_lower(request.header("connection").value_or("")) != "close" &&
           to_lower(find_header(response.headers, "connection").value_or("")) != "close";
}

bool HttpServer::State::send_body(Connection& connection, const Response& response,
                                  std::string_view body) {
    const auto limit = std::min(response.cut_after.value_or(body.size()),
                                response.stall_after.value_or(body.size()));
    auto rest = body.substr(0, limit);
    constexpr std::chrono::milliseconds tick{20};
    const std::size_t block = response.bytes_per_second
                                  ? std::max<std::size_t>(*response.bytes_per_second / 50, 1)
                                  : std::size_t{256} << 10;
    if (response.bytes_per_second) connection.keep_little_on_its_way();
    while (!rest.empty()) {
        const auto part = rest.substr(0, block);
        if (!connection.send(part)) return false;
        body_bytes += part.size();
        rest.remove_prefix(part.size());
        if (response.bytes_per_second && !connection.pause(tick)) return false;
    }
    if (response.stall_after) connection.wait_for_end();
    return !response.stall_after && !response.cut_after;
}

HttpServer::HttpServer(Handler handler) : state_(std::make_unique<State>()) {
    state_->handler = std::move(handler);
    state_->listen();
    state_->acceptor = std::jthread([state = state_.get()] { state->accept_all(); });
}

HttpServer::~HttpServer() {
    ::eventfd_write(state_->stop_event.get(), 1);
    state_->acceptor.join();
    for (auto& connection : state_->connections)
        connection.join();
}

std::uint16_t HttpServer::port() const {
    return state_->port;
}

std::string HttpServer::url(std::string_view path) const {
    return fmt::format("http://127.0.0.1:{}{}", state_->port, path);
}

std::vector<Request> HttpServer::requests() const {
    const std::scoped_lock lock(state_->mutex);
    return state_->requests;
}

std::uint64_t HttpServer::body_bytes_sent() const {
    return state_->body_bytes;
}

std::size_t HttpServer::most_bodies_at_once() const {
    const std::scoped_lock lock(state_->mutex);
    return state_->most_bodies;
}

std::optional<std::string> Request::header(std::string_view name) const {
    return find_header(headers, name);
}

std::string Request::parameter(std::string_view name) const {
    return parse_url("http://x/?" + query)->parameter(name).value_or("");
}

}  // namespace podctl::test

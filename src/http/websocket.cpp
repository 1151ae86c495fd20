#include "podctl/http/websocket.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/http/url_rules.hpp"

#include "connection.hpp"
#include "websocket_frame.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <random>

namespace podctl::http {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::string_view accept_suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // §1.3
constexpr std::string_view normal_closure("\x03\xE8", 2);                           // 1000, §7.4.1
constexpr std::size_t max_head = 64 << 10;
constexpr std::size_t max_message = 64u << 20;  // a preview image may be large
constexpr std::size_t block_size = 64 << 10;
constexpr milliseconds send_timeout{5'000};
constexpr milliseconds goodbye_timeout{200};

template <std::size_t size>
std::array<char, size> random_bytes() {
    static thread_local std::random_device device;
    std::array<char, size> bytes{};
    for (char& byte : bytes)
        byte = static_cast<char>(device());
    return bytes;
}

std::string random_key() {
    const auto bytes = random_bytes<16>();
    return base64({bytes.data(), bytes.size()});
}

milliseconds until(Clock::time_point end) {
    return std::max(std::chrono::ceil<milliseconds>(end - Clock::now()), milliseconds{0});
}

std::string host_field(const Url& url) {
    return url.port ? fmt::format("{}:{}", url.host, *url.port) : url.host;
}

std::string request_head(const Url& url, const std::string& key, const Options& options) {
    std::string target = url.path.empty() ? "/" : url.path;
    if (!url.query.empty()) target += "?" + url.query;
    std::string head = fmt::format(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: podctl/{}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n",
        target, host_field(url), PODCTL_VERSION, key);
    bool has_authorization = false;
    for (const auto& line : placed_header_lines(url, options)) {
        head += line + "\r\n";
        has_authorization |= to_lower(line).starts_with("authorization:");
    }
    if (has_authorization) return head + "\r\n";
    if (const auto authorization = authorization_for(url, options); authorization.token) {
        head += fmt::format("Authorization: Bearer {}\r\n", authorization.token->reveal());
    } else if (!url.userinfo.empty()) {
        head += fmt::format("Authorization: Basic {}\r\n", base64(percent_decode(url.userinfo)));
    }
    return head + "\r\n";
}

// "HTTP/1.1 101 …" and a header that proves the other side understood (§4.1).
void check_answer(std::string_view head, const std::string& key, const std::string& place) {
    const auto lines = split(head, '\n');
    const auto words = split(trim(lines[0]), ' ');
    if (words.size() < 2 || !words[0].starts_with("HTTP/1.") || words[1] != "101")
        throw Error{ErrorKind::network,
                    fmt::format("{}: no WebSocket there: {}", place, trim(lines[0]).substr(0, 80))};
    const std::string wanted = base64_of_sha1(key + std::string(accept_suffix));
    for (const auto& line : lines) {
        const auto colon = line.find(':');
        if (colon == line.npos || to_lower(trim(line.substr(0, colon))) != "sec-websocket-accept")
            continue;
        if (trim(line.substr(colon + 1)) == wanted) return;
    }
    throw Error{ErrorKind::network, place + ": no WebSocket there: the handshake was not answered"};
}

}  // namespace

struct WebSocket::State {
    std::unique_ptr<Connection> connection;
    std::string place;
    FrameReader frames{max_message};
    // Of a message that comes in parts.
    std::optional<Opcode> kind = {};
    std::string message = {};

    void shake_hands(const Url& url, const Options& options, Clock::time_point end,
                     const std::stop_token& stop);
    // The message that ends with this frame, if it is a text.
    std::optional<std::string> take(Frame frame);
    void send(Opcode opcode, std::string_view payload, milliseconds wait);
};

void WebSocket::State::shake_hands(const Url& url, const Options& options, Clock::time_point end,
                                   const std::stop_token& stop) {
    const std::string key = random_key();
    connection->send(request_head(url, key, options), until(end));
    std::string head;
    std::array<char, 4096> block{};
    for (std::size_t at = head.npos; at == head.npos; at = head.find("\r\n\r\n")) {
        const auto got = connection->receive(block, until(end), stop);
        if (got == 0)
            throw Error{ErrorKind::network, place + ": the WebSocket's handshake has no answer"};
        head.append(block.data(), got);
        if (head.size() > max_head)
            throw Error{ErrorKind::network, place + ": no WebSocket there: an endless answer"};
    }
    const auto body = head.find("\r\n\r\n") + 4;
    check_answer(std::string_view(head).substr(0, body), key, place);
    frames.feed(std::string_view(head).substr(body));
}

std::optional<std::string> WebSocket::State::take(Frame frame) {
    switch (frame.opcode) {
        case Opcode::ping:
            send(Opcode::pong, frame.payload, send_timeout);
            return std::nullopt;
        case Opcode::pong:
            return std::nullopt;
        case Opcode::close:
            throw Error{ErrorKind::network, place + ": the WebSocket was closed"};
        case Opcode::text:
        case Opcode::binary:
            kind = frame.opcode;
            message.clear();
            break;
        case Opcode::continuation:
            break;
    }
    if (!kind || message.size() + frame.payload.size() > max_message)
        throw Error{ErrorKind::network, place + ": a WebSocket message without a beginning or end"};
    message += frame.payload;
    if (!frame.final) return std::nullopt;
    return *std::exchange(kind, std::nullopt) == Opcode::text
               ? std::optional{std::exchange(message, {})}
               : std::nullopt;
}

void WebSocket::State::send(Opcode opcode, std::string_view payload, milliseconds wait) {
    connection->send(encode_frame(opcode, payload, random_bytes<4>()), wait);
}

WebSocket::WebSocket(Client& http, const std::string& url, milliseconds timeout,
                     std::stop_token stop)
    : state_(std::make_unique<State>()) {
    const auto end = Clock::now() + timeout;
    const Url place = checked_url(url);
    state_->place = shown(url);
    state_->connection = http.connect(place, timeout, stop);
    state_->shake_hands(place, http.options(), end, stop);
}

WebSocket::~WebSocket() {
    try {
        state_->send(Opcode::close, normal_closure, goodbye_timeout);
    } catch (const std::exception&) {
        // The other side has gone first.
    }
}

std::optional<std::string> WebSocket::receive(milliseconds wait, std::stop_token stop) {
    const auto end = Clock::now() + wait;
    std::array<char, block_size> block;
    while (true) {
        // Frames may come without a pause, and hold nothing that is asked for.
        while (auto frame = state_->frames.next()) {
            if (auto text = state_->take(std::move(*frame))) return text;
            if (stop.stop_requested())
                throw Error{ErrorKind::interrupted, state_->place + ": stopped"};
            if (Clock::now() >= end) return std::nullopt;
        }
        const auto got = state_->connection->receive(block, until(end), stop);
        if (got == 0) return std::nullopt;
        state_->frames.feed({block.data(), got});
    }
}

}  // namespace podctl::http

#pragma once

#include "support/http_server.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace podctl::test {

// The server's end of a WebSocket (RFC 6455), with what it takes to go wrong.
class WebSocketPeer {
public:
    explicit WebSocketPeer(Upgraded& connection) : connection_(connection) {}

    enum Opcode : unsigned char { continuation = 0, text = 1, binary = 2, close = 8, ping = 9 };
    enum class Part { whole, more_follows };
    // False: the client is gone, or the server stops.
    bool send(Opcode opcode, std::string_view payload, Part part = Part::whole);
    bool send_text(std::string_view payload) { return send(text, payload); }
    bool send_raw(std::string_view bytes) { return connection_.send(bytes); }

    struct Frame {
        unsigned char opcode = 0;
        std::string payload;  // unmasked
        bool masked = false;
    };
    // nullopt: the client is gone, or the server stops.
    std::optional<Frame> next();
    bool pause(std::chrono::milliseconds time) { return connection_.pause(time); }

private:
    bool need(std::size_t size);

    Upgraded& connection_;
    std::string buffer_;
};

// The answer to a handshake; `talk` runs until it returns, which ends the connection.
Response to_websocket(const Request& request, std::function<void(WebSocketPeer&)> talk);

}  // namespace podctl::test

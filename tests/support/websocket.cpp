#include "support/websocket.hpp"

#include "podctl/base/digest.hpp"

namespace podctl::test {

bool WebSocketPeer::send(Opcode opcode, std::string_view payload, Part part) {
    std::string frame(1, static_cast<char>(opcode | (part == Part::whole ? 0x80 : 0)));
    int length_size = 0;
    if (payload.size() < 126) {
        frame += static_cast<char>(payload.size());
    } else if (payload.size() <= 0xFFFF) {
        frame += char{126};
        length_size = 2;
    } else {
        frame += char{127};
        length_size = 8;
    }
    for (int i = length_size - 1; i >= 0; --i)
        frame += static_cast<char>(payload.size() >> 8 * i & 0xFF);
    return connection_.send(frame + std::string(payload));
}

bool WebSocketPeer::need(std::size_t size) {
    while (buffer_.size() < size)
        if (!connection_.receive(buffer_)) return false;
    return true;
}

// Clients send nothing long.
std::optional<WebSocketPeer::Frame> WebSocketPeer::next() {
    if (!need(2)) return std::nullopt;
    const auto second = static_cast<unsigned char>(buffer_[1]);
    Frame frame{.opcode = static_cast<unsigned char>(buffer_[0] & 0x0F),
                .payload = {},
                .masked = (second & 0x80) != 0};
    const std::size_t size = second & 0x7F;
    const std::size_t head = frame.masked ? 6 : 2;
    if (!need(head + size)) return std::nullopt;
    for (std::size_t i = 0; i < size; ++i)
        frame.payload += frame.masked ? static_cast<char>(buffer_[head + i] ^ buffer_[2 + i % 4])
                                      : buffer_[head + i];
    buffer_.erase(0, head + size);
    return frame;
}

Response to_websocket(const Request& request, std::function<void(WebSocketPeer&)> talk) {
    const auto key = request.header("sec-websocket-key");
    if (!key) return {.status = 400};
    return {.status = 101,
            .headers = {{"Upgrade", "websocket"},
                        {"Connection", "Upgrade"},
                        {"Sec-WebSocket-Accept",
                         base64_of_sha1(*key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")}},
            .upgraded = [talk = std::move(talk)](Upgraded& connection) {
                WebSocketPeer peer{connection};
                talk(peer);
            }};
}

}  // namespace podctl::test

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// The frames of RFC 6455 §5.
namespace podctl::http {

enum class Opcode : unsigned char {
    continuation = 0,
    text = 1,
    binary = 2,
    close = 8,
    ping = 9,
    pong = 10
};

struct Frame {
    Opcode opcode = Opcode::text;
    bool final = true;
    std::string payload = {};
};

// A frame as a client sends it: whole, and masked.
std::string encode_frame(Opcode opcode, std::string_view payload, std::array<char, 4> mask);

// Cuts what a server sends into frames.
class FrameReader {
public:
    // A larger frame is an error.
    explicit FrameReader(std::uint64_t max_payload) : max_payload_(max_payload) {}

    void feed(std::string_view bytes) { buffer_ += bytes; }
    // nullopt: more bytes are needed. Throws Error{network} for what is no frame of a server.
    std::optional<Frame> next();

private:
    std::uint64_t max_payload_;
    std::string buffer_;
};

}  // namespace podctl::http

#include "websocket_frame.hpp"

#include "podctl/base/byte_order.hpp"
#include "podctl/base/error.hpp"

#include <fmt/core.h>

namespace podctl::http {
namespace {

constexpr unsigned char final_bit = 0x80, reserved_bits = 0x70, opcode_bits = 0x0F;
constexpr unsigned char mask_bit = 0x80, length_bits = 0x7F;
constexpr unsigned char two_byte_length = 126, eight_byte_length = 127;
constexpr std::size_t most_of_control = 125;

Error broken(const std::string& what) {
    return Error{ErrorKind::network, "not a WebSocket frame: " + what};
}

bool is_control(Opcode opcode) {
    return static_cast<unsigned char>(opcode) >= static_cast<unsigned char>(Opcode::close);
}

Opcode opcode_of(unsigned char code) {
    switch (code) {
        case 0:
        case 1:
        case 2:
        case 8:
        case 9:
        case 10:
            return static_cast<Opcode>(code);
        default:
            throw broken(fmt::format("opcode {}", code));
    }
}

void append_big_endian(std::string& out, std::uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        out += static_cast<char>(value >> shift & 0xFF);
}

}  // namespace

std::string encode_frame(Opcode opcode, std::string_view payload, std::array<char, 4> mask) {
    std::string frame(1, static_cast<char>(final_bit | static_cast<unsigned char>(opcode)));
    const auto with_mask_bit = [](std::size_t length) {
        return static_cast<char>(mask_bit | length);
    };
    if (payload.size() < two_byte_length) {
        frame += with_mask_bit(payload.size());
    } else if (payload.size() <= 0xFFFF) {
        frame += with_mask_bit(two_byte_length);
        append_big_endian(frame, payload.size(), 2);
    } else {
        frame += with_mask_bit(eight_byte_length);
        append_big_endian(frame, payload.size(), 8);
    }
    frame.append(mask.data(), mask.size());
    for (std::size_t i = 0; i < payload.size(); ++i)
        frame += static_cast<char>(payload[i] ^ mask[i % mask.size()]);
    return frame;
}

std::optional<Frame> FrameReader::next() {
    if (buffer_.size() < 2) return std::nullopt;
    const auto first = static_cast<unsigned char>(buffer_[0]);
    const auto second = static_cast<unsigned char>(buffer_[1]);
    if (first & reserved_bits) throw broken("an extension that was not agreed on");
    if (second & mask_bit) throw broken("masked");
    Frame frame{.opcode = opcode_of(first & opcode_bits), .final = (first & final_bit) != 0};
    std::uint64_t length = second & length_bits;
    const std::size_t length_size = length == eight_byte_length ? 8
                                    : length == two_byte_length ? 2
                                                                : 0;
    const std::size_t head = 2 + length_size;
    if (buffer_.size() < head) return std::nullopt;
    if (length_size > 0) length = big_endian(std::string_view(buffer_).substr(2, length_size));
    if (is_control(frame.opcode) && (length > most_of_control || !frame.final))
        throw broken("a control frame that is long or in parts");
    if (length > max_payload_) throw broken(fmt::format("{} bytes long", length));
    const auto size = static_cast<std::size_t>(length);
    if (buffer_.size() - head < size) return std::nullopt;
    frame.payload = buffer_.substr(head, size);
    buffer_.erase(0, head + size);
    return frame;
}

}  // namespace podctl::http

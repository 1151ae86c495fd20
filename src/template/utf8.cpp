#include "utf8.hpp"

#include <fmt/format.h>

#include <cstdint>

namespace podctl::tmpl {
namespace {

// The bytes of the sequence that begins here (RFC 3629: shortest form, no surrogates), 0 when it is
// none.
std::size_t sequence_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
    std::uint32_t point = first & (0xFFu >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return 0;
        point = point << 6 | (byte(i) & 0x3Fu);
    }
    const bool shortest = length == 2 || (length == 3 ? point >= 0x800 : point >= 0x10000);
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    return shortest && !surrogate && point <= 0x10FFFF ? length : 0;
}

bool is_forbidden(std::string_view sequence) {
    const auto first = static_cast<unsigned char>(sequence[0]);
    if (sequence.size() == 1) {
        return (first < 0x20 && first != '\t' && first != '\n' && first != '\r') || first == 0x7F;
    }
    // C1 controls: U+0080 … U+009F but U+0085 (next line).
    const auto second = static_cast<unsigned char>(sequence[1]);
    return first == 0xC2 && second < 0xA0 && second != 0x85;
}

}  // namespace

std::optional<TextFault> find_text_fault(std::string_view text) {
    int line = 1;
    int column = 1;
    for (std::size_t at = 0; at < text.size();) {
        const auto rest = text.substr(at);
        const std::size_t length = sequence_length(rest);
        const auto byte = static_cast<unsigned char>(rest[0]);
        if (length == 0) {
            return TextFault{
                line, column,
                fmt::format("byte 0x{:02x} is not UTF-8; save the file as UTF-8", byte)};
        }
        if (is_forbidden(rest.substr(0, length))) {
            return TextFault{
                line, column,
                fmt::format("control character 0x{:02x} is not allowed; write it as an "
                            "escape in double quotes if it is meant",
                            length == 1 ? byte : static_cast<unsigned char>(rest[1]))};
        }
        ++column;
        if (byte == '\n') {
            ++line;
            column = 1;
        }
        at += length;
    }
    return std::nullopt;
}

}  // namespace podctl::tmpl

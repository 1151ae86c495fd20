#include "decode.hpp"

#include "podctl/base/utf8.hpp"

#include <cstdint>

namespace podctl::python {

namespace {

void append_utf8(std::string& out, std::uint32_t point) {
    const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (point < 0x80) return put(point);
    if (point < 0x800) {
        put(0xC0 | (point >> 6));
    } else {
        if (point < 0x10000) {
            put(0xE0 | (point >> 12));
        } else {
            put(0xF0 | (point >> 18));
            put(0x80 | ((point >> 12) & 0x3F));
        }
        put(0x80 | ((point >> 6) & 0x3F));
    }
    put(0x80 | (point & 0x3F));
}

enum class ByteOrder { little, big };

std::uint32_t unit_at(std::string_view bytes, std::size_t at, std::size_t width, ByteOrder order) {
    std::uint32_t unit = 0;
    for (std::size_t i = 0; i < width; ++i) {
        const std::size_t index = order == ByteOrder::big ? at + i : at + width - 1 - i;
        unit = (unit << 8) | static_cast<unsigned char>(bytes[index]);
    }
    return unit;
}

std::optional<std::string> from_utf16(std::string_view bytes, ByteOrder order) {
    if (bytes.size() % 2 != 0) return std::nullopt;
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += 2) {
        std::uint32_t point = unit_at(bytes, at, 2, order);
        if (point >= 0xD800 && point < 0xDC00 && at + 4 <= bytes.size()) {
            at += 2;
            const std::uint32_t low = unit_at(bytes, at, 2, order);
            if (low < 0xDC00 || low > 0xDFFF) return std::nullopt;
            point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
        } else if (point >= 0xD800 && point <= 0xDFFF) {
            return std::nullopt;
        }
        append_utf8(out, point);
    }
    return out;
}

std::optional<std::string> from_utf32(std::string_view bytes, ByteOrder order) {
    if (bytes.size() % 4 != 0) return std::nullopt;
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += 4) {
        const std::uint32_t point = unit_at(bytes, at, 4, order);
        if (point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return std::nullopt;
        append_utf8(out, point);
    }
    return out;
}

std::string from_latin1(std::string_view bytes) {
    std::string out;
    for (const char byte : bytes)
        append_utf8(out, static_cast<unsigned char>(byte));
    return out;
}

std::optional<std::string> decode_marked(std::string_view bytes) {
    using namespace std::string_view_literals;
    // UTF-32's little-endian mark begins with UTF-16's.
    if (bytes.starts_with("\xFF\xFE\0\0"sv)) return from_utf32(bytes.substr(4), ByteOrder::little);
    if (bytes.starts_with("\0\0\xFE\xFF"sv)) return from_utf32(bytes.substr(4), ByteOrder::big);
    if (bytes.starts_with("\xFF\xFE"sv)) return from_utf16(bytes.substr(2), ByteOrder::little);
    if (bytes.starts_with("\xFE\xFF"sv)) return from_utf16(bytes.substr(2), ByteOrder::big);
    if (bytes.starts_with("\xEF\xBB\xBF"sv)) bytes.remove_prefix(3);
    return utf8::is_valid(bytes) ? std::string{bytes} : from_latin1(bytes);
}

}  // namespace

std::optional<std::string> decode_text(std::string_view bytes) {
    auto text = decode_marked(bytes);
    if (text && text->find('\0') != std::string::npos) return std::nullopt;
    return text;
}

}  // namespace podctl::python

#include "podctl/base/printable.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/utf8.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <vector>

namespace podctl {

namespace {

std::string escape_of(char32_t c) {
    const auto value = static_cast<std::uint32_t>(c);
    if (c <= 0xFF) return fmt::format("\\x{:02x}", value);
    return c <= 0xFFFF ? fmt::format("\\u{:04x}", value) : fmt::format("\\U{:08x}", value);
}

bool stays(char32_t c, Lines lines) {
    return !is_invisible(c) || (lines == Lines::many && (c == '\n' || c == '\t'));
}

// Most of what is printed, and taken at once: programs may print without end.
std::size_t plain_ascii(std::string_view text) {
    std::size_t size = 0;
    while (size < text.size() && text[size] >= 0x20 && text[size] < 0x7F)
        ++size;
    return size;
}

// The next characters of `text`, as they may be shown.
void append_shown(std::string& out, std::string_view& text, Lines lines) {
    if (const auto plain = plain_ascii(text); plain > 0) {
        out += text.substr(0, plain);
        text.remove_prefix(plain);
        return;
    }
    const auto [code_point, length, valid] = utf8::decode(text);
    if (!valid)
        out += escape_of(static_cast<unsigned char>(text.front()));
    else if (stays(code_point, lines))
        out += text.substr(0, length);
    else
        out += escape_of(code_point);
    text.remove_prefix(length);
}

// ECMA-48 §8.3.117 and, for 38, 48 and 58, ITU-T T.416: their parameters are no attributes. 5 and 6
// blink, 8 conceals: none of that is of a log.
bool is_plain(const std::vector<std::string>& parameters) {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (parameters[i].size() > 3) return false;
        const int value = parameters[i].empty() ? 0 : std::stoi(parameters[i]);
        if (value == 38 || value == 48 || value == 58) {
            const std::string kind = i + 1 < parameters.size() ? parameters[i + 1] : "";
            if (kind != "5" && kind != "2") return false;
            i += kind == "5" ? 2 : 4;
            if (i >= parameters.size()) return false;
            continue;
        }
        const bool is_color = (value >= 30 && value <= 49) || (value >= 90 && value <= 107);
        const bool is_style =
            value <= 4 || value == 7 || value == 9 || (value >= 21 && value <= 29);
        if (!is_color && !is_style && value != 59) return false;
    }
    return true;
}

// How long the sequence of colours at the front of the text is; 0: there is none.
std::size_t color_length(std::string_view text) {
    constexpr std::size_t longest = 48;
    if (!text.starts_with("\x1b[")) return 0;
    const auto end = text.find_first_not_of("0123456789;", 2);
    if (end == text.npos || text[end] != 'm' || end > longest) return 0;
    return is_plain(split(text.substr(2, end - 2), ';')) ? end + 1 : 0;
}

enum class Colors { kept, left_out };

std::string shown(std::string_view text, Colors colors) {
    std::string out;
    bool is_colored = false;
    while (!text.empty()) {
        const auto length = color_length(text);
        if (length == 0) {
            append_shown(out, text, Lines::many);
            continue;
        }
        if (colors == Colors::kept) {
            out += text.substr(0, length);
            is_colored = true;
        }
        text.remove_prefix(length);
    }
    if (is_colored) out += "\x1b[0m";
    return out;
}

}  // namespace

bool is_invisible(char32_t c) {
    const auto within = [&](char32_t from, char32_t to) { return c >= from && c <= to; };
    return c < 0x20 || within(0x7F, 0x9F) ||                                      // C0, DEL, C1
           c == 0x61C || c == 0x200E || c == 0x200F || within(0x202A, 0x202E) ||  // bidi
           c == 0xAD || c == 0x180E || c == 0x200B || c == 0xFEFF ||              // zero width
           within(0x2060, 0x206F) || within(0xFFF9, 0xFFFB) ||                    // format
           c == 0x2028 || c == 0x2029 ||                                          // separators
           within(0xE0000, 0xE007F) ||                                            // tags
           within(0xFDD0, 0xFDEF) || (c & 0xFFFE) == 0xFFFE;                      // noncharacters
}

std::string printable(std::string_view text, Lines lines) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty())
        append_shown(out, text, lines);
    return out;
}

std::string printable_with_colors(std::string_view text) {
    return shown(text, Colors::kept);
}

std::string printable_without_colors(std::string_view text) {
    return shown(text, Colors::left_out);
}

std::string printable_json(std::string_view json) {
    std::string out;
    out.reserve(json.size());
    while (!json.empty()) {
        const auto [code_point, length, valid] = utf8::decode(json);
        const bool is_hidden = valid && code_point >= 0x7F && is_invisible(code_point);
        if (!is_hidden) {
            out += valid ? json.substr(0, length) : std::string_view{"\xEF\xBF\xBD"};
        } else if (code_point <= 0xFFFF) {
            out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(code_point));
        } else {
            // A surrogate pair (RFC 8259 §7).
            const auto above = static_cast<std::uint32_t>(code_point - 0x10000);
            out +=
                fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (above >> 10), 0xDC00 + (above & 0x3FF));
        }
        json.remove_prefix(length);
    }
    return out;
}

}  // namespace podctl

#include "text_fault.hpp"

#include "podctl/base/utf8.hpp"

#include <fmt/format.h>

namespace podctl::tmpl {
namespace {

// Control characters, U+0085 (next line) not counted among them.
bool is_forbidden(char32_t c) {
    if (c == '\t' || c == '\n' || c == '\r' || c == 0x85) return false;
    return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

}  // namespace

std::optional<TextFault> find_text_fault(std::string_view text) {
    int line = 1;
    int column = 1;
    for (std::size_t at = 0; at < text.size();) {
        const auto [code_point, length, valid] = utf8::decode(text.substr(at));
        if (!valid) {
            return TextFault{line, column,
                             fmt::format("byte 0x{:02x} is not UTF-8; save the file as UTF-8",
                                         static_cast<unsigned char>(text[at]))};
        }
        if (is_forbidden(code_point)) {
            return TextFault{
                line, column,
                fmt::format("control character 0x{:02x} is not allowed; write it as an "
                            "escape in double quotes if it is meant",
                            static_cast<unsigned>(code_point))};
        }
        ++column;
        if (code_point == '\n') {
            ++line;
            column = 1;
        }
        at += length;
    }
    return std::nullopt;
}

}  // namespace podctl::tmpl

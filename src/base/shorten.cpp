#include "podctl/base/shorten.hpp"

#include "podctl/base/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace podctl {

std::string shorten_middle(std::string_view text, std::size_t most) {
    constexpr std::string_view mark = "\u2026";
    if (text.size() <= most) return std::string{text};
    const std::size_t room = most > mark.size() ? most - mark.size() : 0;
    const auto front = utf8::cut(text, room / 2);
    auto back = text.substr(text.size() - (room - room / 2));
    while (!back.empty() && (back.front() & 0xC0) == 0x80)
        back.remove_prefix(1);
    std::string shortened{front};
    shortened += mark;
    return shortened += back;
}

std::string shorten_line(std::string_view line, std::size_t most) {
    if (line.size() <= most) return std::string{line};
    return fmt::format("{}… ({} bytes)", utf8::cut(line, most), line.size());
}

std::string list_first(std::span<const std::string> texts, std::size_t most) {
    const auto shown = texts.first(std::min(texts.size(), most));
    std::string list = fmt::format("{}", fmt::join(shown, ", "));
    if (shown.size() < texts.size())
        list += fmt::format(" and {} more", texts.size() - shown.size());
    return list;
}

std::string shorten_message(std::string text, std::size_t longest_line, std::size_t longest_text) {
    if (text.size() <= longest_line) return text;
    std::string shortened;
    for (std::string_view rest = text; !rest.empty();) {
        const auto line = rest.substr(0, rest.find('\n'));
        shortened += shorten_middle(line, longest_line);
        rest.remove_prefix(line.size());
        if (rest.empty()) break;
        shortened += '\n';
        rest.remove_prefix(1);
    }
    return shorten_middle(shortened, longest_text);
}

}  // namespace podctl

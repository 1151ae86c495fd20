#include "terminal.hpp"

#include "podctl/base/printable.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace podctl::cli {

bool wants_color(Color color, int fd) {
    switch (color) {
        case Color::never:
            return false;
        case Color::always:
            return true;
        case Color::automatic:
            break;
    }
    const char* no_color = std::getenv("NO_COLOR");
    return (!no_color || !*no_color) && ::isatty(fd);
}

namespace {

std::string_view color_of(Line::Tone tone) {
    switch (tone) {
        case Line::Tone::plain:
            return "";
        case Line::Tone::good:
            return "\x1b[32m";
        case Line::Tone::warning:
            return "\x1b[33m";
        case Line::Tone::bad:
            return "\x1b[31m";
    }
    return "";
}

std::string shown(const Line& line, bool color) {
    if (line.from == Line::From::podctl) return printable(line.text);
    return color ? printable_with_colors(line.text) : printable_without_colors(line.text);
}

}  // namespace

std::string painted(const Line& line, bool color) {
    const auto text = shown(line, color);
    const auto tone = color ? color_of(line.tone) : "";
    if (tone.empty()) return text + "\n";
    return std::string{tone} + text + "\x1b[0m\n";
}

ScreenSize screen_size() {
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2 || size.ws_row < 2)
        return {};
    return {.columns = size.ws_col, .rows = size.ws_row};
}

}  // namespace podctl::cli

#include "terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

namespace podctl::cli {

void put(FILE* stream, const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stream);
    std::fflush(stream);
}

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

std::string painted(const Line& line, bool color) {
    if (!color) return line.text + "\n";
    switch (line.tone) {
        case Line::Tone::plain:
            return line.text + "\n";
        case Line::Tone::good:
            return "\x1b[32m" + line.text + "\x1b[0m\n";
        case Line::Tone::warning:
            return "\x1b[33m" + line.text + "\x1b[0m\n";
        case Line::Tone::bad:
            return "\x1b[31m" + line.text + "\x1b[0m\n";
    }
    return line.text + "\n";
}

ScreenSize screen_size() {
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2 || size.ws_row < 2)
        return {};
    return {.columns = size.ws_col, .rows = size.ws_row};
}

}  // namespace podctl::cli

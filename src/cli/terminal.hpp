#pragma once

#include "live_view.hpp"
#include "output.hpp"

#include <string>

namespace podctl::cli {

bool wants_color(Color color, int fd);
// The line in its tone's colour, with an end of line, and safe for a terminal.
std::string painted(const Line& line, bool color);

// Of the terminal that stderr is.
ScreenSize screen_size();

}  // namespace podctl::cli

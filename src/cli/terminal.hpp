#pragma once

#include "live_view.hpp"
#include "output.hpp"

#include <cstdio>
#include <string>

namespace podctl::cli {

// Writes and flushes. A reader that went away (a closed pipe) must not end a pod that runs.
void put(FILE* stream, const std::string& text);

bool wants_color(Color color, int fd);
// The line in its tone's colour, with an end of line.
std::string painted(const Line& line, bool color);

// Of the terminal that stderr is.
ScreenSize screen_size();

}  // namespace podctl::cli

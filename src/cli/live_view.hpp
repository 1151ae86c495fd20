#pragma once

#include "podctl/event/meter.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::cli {

// A step that runs, as a line of the terminal shows it.
struct LiveStep {
    std::string id;
    std::chrono::seconds running{0};
    std::optional<Reading> progress = {};
};

struct ScreenSize {
    std::size_t columns = 80, rows = 24;
};

// The lines at the bottom of the terminal: one per step, and the last one of all files together
// when several run. Where not all have room, those that move come first, then those with most to
// come. None is wider than the terminal, and they leave room for the cursor and a line above.
std::vector<std::string> live_lines(std::vector<LiveStep> steps, const Overall& all,
                                    ScreenSize screen);

// How many columns of a terminal a text takes.
std::size_t text_width(std::string_view text);
// Its beginning, of at most so many columns; what would move the cursor is replaced.
std::string clipped(std::string_view text, std::size_t columns);
// Its end with "..." before it, which of an id tells more than its beginning.
std::string clipped_front(std::string_view text, std::size_t columns);

}  // namespace podctl::cli

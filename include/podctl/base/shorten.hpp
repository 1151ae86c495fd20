#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace podctl {

// At most `most` bytes of a text, its middle replaced by "…" where it is longer: of a path, which
// somebody else may have made as long as he likes, start and end tell the most. No UTF-8 sequence
// is cut in two.
std::string shorten_middle(std::string_view text, std::size_t most = 160);

// A line of what a program has printed, for an error: at most `most` bytes of it, and how long it
// was.
std::string shorten_line(std::string_view line, std::size_t most = 1'000);

// "a, b, c and 4 more": the first `most` of the texts.
std::string list_first(std::span<const std::string> texts, std::size_t most);

// What an error or an event says, which quotes what others have made as long as they like: at most
// 4,000 bytes of each line and 64 KiB of all of them, the middle left out of what is longer. A path
// is no longer than that, and an honest message never comes near it.
std::string shorten_message(std::string text, std::size_t longest_line = 4'000,
                            std::size_t longest_text = 64u << 10);

}  // namespace podctl

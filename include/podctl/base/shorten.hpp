#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace podctl {

// At most `most` bytes of a text, its middle replaced by "…" where it is longer: of a path, which
// somebody else may have made as long as he likes, start and end tell the most. No UTF-8 sequence
// is cut in two.
std::string shorten_middle(std::string_view text, std::size_t most = 160);

}  // namespace podctl

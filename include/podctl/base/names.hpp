#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace podctl {

// A name that a server gave, made safe as a single path component: no separators, control or bidi
// characters, no leading dot, dash or space, no trailing dot or space, at most 255 bytes (cut
// before the extension, never inside a UTF-8 sequence), invalid UTF-8 replaced, an underscore
// before a name that Windows reserves (CON, NUL.txt). Empty when nothing is left of it.
std::string safe_file_name(std::string_view name);

// The candidate nearest to `word` (Damerau-Levenshtein, at most a third of its length wrong), for
// "did you mean"; nullopt: none is near.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

// .ckpt, .pt, .pkl and their kin (src/base/inert_name.cpp): loading one runs code that it carries.
bool is_pickle_name(std::string_view name);

std::string to_lower(std::string_view text);  // ASCII
std::string_view trim(std::string_view text);
std::vector<std::string> split(std::string_view text, char separator);

}  // namespace podctl

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace podctl {

// What a terminal, a browser or a file manager would obey or hide rather than show: C0, DEL and C1
// controls (ECMA-48), the controls of bidirectional text, zero-width and other format characters,
// line and paragraph separators, tags, noncharacters. The joiners U+200C and U+200D, which scripts
// and emoji are written with, and the variation selectors are none.
bool is_invisible(char32_t c);

enum class Lines { one, many };

// Text of others, for a terminal, a log or a page. What is_invisible() and what is no UTF-8 becomes
// an escape that can be read: \x1b for a byte or a control of one, \u202e and \U000e0041 for the
// others. All else stays as it is, and so do line feeds and tabs of `many` lines. It is no
// reversible encoding, since a backslash stays one.
std::string printable(std::string_view text, Lines lines = Lines::many);

// As printable(), for what a program prints for people, where a terminal shows colours: select
// graphic rendition (ESC [ … m) of colours and of bold, faint, italic, underlined and inverse text
// stays, and is reset at the end of the text. No other control sequence does.
std::string printable_with_colors(std::string_view text);
// As above for where colours are not wanted: they are left out.
std::string printable_without_colors(std::string_view text);

// JSON's text, where what is_invisible() is written as \uXXXX: the value stays the same and no
// terminal obeys it. JSON escapes only C0 by itself.
std::string printable_json(std::string_view json);

}  // namespace podctl

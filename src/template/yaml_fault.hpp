#pragma once

#include <string>
#include <string_view>

// What yaml-cpp says of a text that is no YAML tells where it gave up, seldom why.
namespace podctl::tmpl {

struct TextPlace {
    int line = 0, column = 0;  // from 1; 0: nobody knows
};

// " (text that begins with * or & needs quotes)", to be put behind yaml-cpp's message; empty: none
// is likely.
std::string likely_cause(std::string_view message, std::string_view text, TextPlace at);

// The line and the one above it, each with its number, and a caret below the column, as compilers
// show it. What looks like a secret is hidden. Empty: there is no such line.
std::string excerpt(std::string_view text, TextPlace at);

}  // namespace podctl::tmpl

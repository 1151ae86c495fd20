// How the text of a requirements file falls into lines and words, as pip has it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace podctl::python {

struct LogicalLine {
    int number = 0;    // of its first line, from 1
    std::string text;  // without comments, not empty
};

// A backslash goes on in the next line, but not at the end of a comment.
std::vector<LogicalLine> logical_lines(std::string_view text);

// Of an option's line; quotes are taken off.
std::vector<std::string> words_of(std::string_view text);

// ${NAME}, as pip fills it in; a variable that is not set stays as it is. A secret stays, too: a
// pack's file could send it anywhere.
std::string with_variables(const std::string& text);

}  // namespace podctl::python

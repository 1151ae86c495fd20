// How the text of a command line or a batch file falls into sources. No files are touched here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace podctl::hub {

// The sources of one line or argument, by the rule of batch.hpp; none is empty.
std::vector<std::string> split_sources(std::string_view line);

struct BatchLine {
    std::size_t number = 0;  // from 1
    std::string text = {};   // trimmed, without its comment; not empty
    bool indented = false;   // as aria2 has the options of the source above
};

// The lines of a batch file that say something.
std::vector<BatchLine> batch_lines(std::string_view text);

// FILE of `@FILE` or `-i FILE`; empty: the word names none.
std::string_view nested_file(std::string_view word);

}  // namespace podctl::hub

#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace podctl::tmpl {

struct TextFault {
    int line = 0;    // from 1
    int column = 0;  // from 1, in characters
    std::string message;
};

// The first byte that is not UTF-8, or a control character other than tab and line ends. yaml-cpp
// takes some of them for the end of the file and would drop what follows.
std::optional<TextFault> find_text_fault(std::string_view text);

}  // namespace podctl::tmpl

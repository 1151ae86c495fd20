#pragma once

#include <cstddef>
#include <string_view>

namespace podctl::utf8 {

struct Decoded {
    char32_t code_point = 0;
    std::size_t length = 1;  // bytes taken
    bool valid = false;
};

// The sequence at the front of a text that is not empty. One that is broken, overlong, a surrogate
// or beyond U+10FFFF is not valid and takes one byte.
Decoded decode(std::string_view text);

}  // namespace podctl::utf8

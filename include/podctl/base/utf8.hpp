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

bool is_valid(std::string_view text);

// At most `size` bytes of it, without a sequence that is cut in two.
std::string_view cut(std::string_view text, std::size_t size);

}  // namespace podctl::utf8

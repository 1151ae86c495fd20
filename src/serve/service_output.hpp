#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace podctl::serve {

// Splits a service's output into lines. A longer one comes in pieces, cut where no word is: a
// secret or a URL in two pieces could not be redacted.
class OutputLines {
public:
    static constexpr std::size_t max_line = 16u << 10;

    explicit OutputLines(std::function<void(std::string_view)> on_line);
    void feed(std::string_view bytes);
    void finish();  // hands over a last line without an end

private:
    void hand_over_pieces();

    std::function<void(std::string_view)> on_line_;
    std::string pending_;
    bool after_return_ = false;
};

}  // namespace podctl::serve

#include "service_output.hpp"

#include <utility>

namespace podctl::serve {

namespace {

// As far back from the end of a piece as a better place to cut is looked for: longer than any
// token.
constexpr std::size_t look_back = 4u << 10;

bool belongs_to_word(char c) {
    constexpr std::string_view others = "-._~%+/=&?:@#!$*;";  // of URLs and tokens
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || others.find(c) != others.npos;
}

bool continues_utf8(char c) {
    return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// How much of `text`, which is longer than a piece, makes the next piece.
std::size_t piece_size(std::string_view text) {
    constexpr auto max = OutputLines::max_line;
    for (auto size = max; size > max - look_back; --size)
        if (!belongs_to_word(text[size - 1])) return size;
    auto size = max;
    while (size > max - 4 && continues_utf8(text[size]))
        --size;
    return size;
}

}  // namespace

OutputLines::OutputLines(std::function<void(std::string_view)> on_line)
    : on_line_{std::move(on_line)} {}

void OutputLines::hand_over_pieces() {
    std::string_view rest = pending_;
    while (rest.size() > max_line) {
        const auto size = piece_size(rest);
        on_line_(rest.substr(0, size));
        rest.remove_prefix(size);
    }
    pending_.erase(0, pending_.size() - rest.size());
}

void OutputLines::feed(std::string_view bytes) {
    while (!bytes.empty()) {
        if (std::exchange(after_return_, false) && bytes.front() == '\n') {
            bytes.remove_prefix(1);
            continue;
        }
        const auto end = bytes.find_first_of("\r\n");
        pending_ += bytes.substr(0, end);
        if (pending_.size() > max_line) hand_over_pieces();
        if (end == bytes.npos) return;
        after_return_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        // A progress bar begins with \r as often as it ends with it.
        if (!pending_.empty() || !after_return_) on_line_(std::exchange(pending_, {}));
    }
}

void OutputLines::finish() {
    after_return_ = false;
    if (!pending_.empty()) on_line_(std::exchange(pending_, {}));
}

}  // namespace podctl::serve

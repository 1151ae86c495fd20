#include "podctl/base/printable.hpp"

#include "podctl/base/utf8.hpp"

#include <gmock/gmock.h>

#include <string>
#include <string_view>
#include <vector>

namespace podctl {
namespace {

using namespace std::string_literals;
using ::testing::IsEmpty;

TEST(Printable, LeavesTextAsItIs) {
    for (const auto* text :
         {"", "plain", "Grüße, 世界 \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB", "C:\\x1b",
          "two\nlines\tand a tab", "\xD9\x85\xD8\xB1"})
        EXPECT_EQ(printable(text), text);
}

TEST(Printable, ShowsControlsAsEscapes) {
    EXPECT_EQ(printable("\x1b]52;c;cHduZWQ=\x07\x1b[2J"), "\\x1b]52;c;cHduZWQ=\\x07\\x1b[2J");
    EXPECT_EQ(printable("a\rb\bc\x7F"), "a\\x0db\\x08c\\x7f");
    EXPECT_EQ(printable("\0x"s), "\\x00x");
    EXPECT_EQ(printable("\xC2\x9B"
                        "31m"),
              "\\x9b31m");  // C1's CSI as a code point
    EXPECT_EQ(printable("\x9B"
                        "31m"),
              "\\x9b31m");  // and as a byte
    EXPECT_EQ(printable("two\nlines\t", Lines::one), "two\\x0alines\\x09");
}

TEST(Printable, ShowsWhatHidesOrTurnsText) {
    EXPECT_EQ(printable("\xE2\x80\xAE"
                        "txt.exe"),
              "\\u202etxt.exe");
    EXPECT_EQ(printable("\xE2\x81\xA6x\xE2\x81\xA9"), "\\u2066x\\u2069");
    EXPECT_EQ(printable("a\xE2\x80\x8B"
                        "b"),
              "a\\u200bb");
    EXPECT_EQ(printable("a\xE2\x80\xA8"
                        "b"),
              "a\\u2028b");
    EXPECT_EQ(printable("\xF3\xA0\x81\x81"), "\\U000e0041");
}

TEST(Printable, ShowsWhatIsNoUtf8ByteByByte) {
    EXPECT_EQ(printable("\xC0\x9B[2J"), "\\xc0\\x9b[2J");  // ESC, overlong
    EXPECT_EQ(printable("\xE0\x80\x9B"), "\\xe0\\x80\\x9b");
    EXPECT_EQ(printable("end\xC2"), "end\\xc2");
    EXPECT_EQ(printable("\xED\xA0\x80"), "\\xed\\xa0\\x80");  // a surrogate
}

// Every character that should not be in it.
std::vector<unsigned> hidden_in(std::string_view text, std::string_view allowed) {
    std::vector<unsigned> found;
    while (!text.empty()) {
        const auto [c, length, valid] = utf8::decode(text);
        const bool is_allowed = c < 0x80 && allowed.find(static_cast<char>(c)) != allowed.npos;
        if (!valid || (is_invisible(c) && !is_allowed)) found.push_back(c);
        text.remove_prefix(length);
    }
    return found;
}

TEST(Printable, IsVisibleUtf8WhateverCame) {
    std::string all;
    for (unsigned first = 0; first < 256; ++first)
        for (unsigned second = 0; second < 256; ++second)
            all += {static_cast<char>(first), static_cast<char>(second)};
    EXPECT_THAT(hidden_in(printable(all, Lines::one), ""), IsEmpty());
    EXPECT_THAT(hidden_in(printable(all), "\n\t"), IsEmpty());
    EXPECT_THAT(hidden_in(printable_without_colors(all), "\n\t"), IsEmpty());
}

TEST(Printable, KeepsPlainColoursOfPrograms) {
    EXPECT_EQ(printable_with_colors("\x1b[1;31mred\x1b[0m"), "\x1b[1;31mred\x1b[0m\x1b[0m");
    EXPECT_EQ(printable_with_colors("\x1b[38;5;8m256\x1b[48;2;1;2;3mrgb"),
              "\x1b[38;5;8m256\x1b[48;2;1;2;3mrgb\x1b[0m");
    EXPECT_EQ(printable_without_colors("\x1b[1;31mred\x1b[m."), "red.");
    EXPECT_EQ(printable_with_colors("none"), "none");
}

TEST(Printable, KeepsNoOtherSequence) {
    for (const auto* text :
         {"\x1b[8mx", "\x1b[5mx", "\x1b[2Jx", "\x1b[31", "\x1b[?25lx", "\x1b[>4mx", "\x1b[38;5mx",
          "\x1b[38;2;1mx", "\x1b[4:3mx", "\x1b[31 mx", "\x1b[9999999999999mx", "\x1b]0;t\x07",
          "\x1bPq\x1b\\"}) {
        EXPECT_EQ(printable_with_colors(text), printable(text));
        EXPECT_EQ(printable_without_colors(text), printable(text));
    }
}

TEST(PrintableJson, KeepsTheValue) {
    EXPECT_EQ(
        printable_json("{\"a\": \"\\u001b Grüße \xC2\x9B \xE2\x80\xAE \xF3\xA0\x81\x81 \x7F\"}"),
        "{\"a\": \"\\u001b Grüße \\u009b \\u202e \\udb40\\udc41 \\u007f\"}");
}

}  // namespace
}  // namespace podctl

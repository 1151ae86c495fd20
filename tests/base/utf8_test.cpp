#include "podctl/base/utf8.hpp"

#include <gtest/gtest.h>

namespace podctl::utf8 {
namespace {

TEST(Utf8, ReadsSequencesOfEveryLength) {
    EXPECT_EQ(decode("a").code_point, U'a');
    EXPECT_EQ(decode("Ä").code_point, U'Ä');
    EXPECT_EQ(decode("模型").code_point, U'模');
    EXPECT_EQ(decode("模型").length, 3u);
    EXPECT_EQ(decode("😀").code_point, U'😀');
    EXPECT_TRUE(is_valid("a模😀Ä"));
    EXPECT_TRUE(is_valid(""));
}

TEST(Utf8, KnowsWhatIsNone) {
    for (const char* text : {"\x80", "a\xFF", "\xC3", "\xE6\xA8", "\xC0\xAF", "\xE0\x80\xAF",
                             "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF0\x9F\x98"})
        EXPECT_FALSE(is_valid(text)) << text;
    EXPECT_EQ(decode("\xE6\xA8").length, 1u);
}

TEST(Utf8, CutsNoSequenceInTwo) {
    EXPECT_EQ(cut("模型", 6), "模型");
    EXPECT_EQ(cut("模型", 5), "模");
    EXPECT_EQ(cut("模型", 3), "模");
    EXPECT_EQ(cut("模型", 2), "");
    EXPECT_EQ(cut("abc", 2), "ab");
}

}  // namespace
}  // namespace podctl::utf8

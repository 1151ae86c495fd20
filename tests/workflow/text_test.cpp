#include "saved.hpp"

#include <cstdlib>
#include <ctime>
#include <set>

namespace podctl::workflow::test {
namespace {

using ::testing::AnyOf;

std::string text_of(const std::string& text, std::uint64_t seed = 0) {
    return converted(saved({node(1, "Text", {}, {text})}), classes_of(),
                     {.seed = seed})["1"]["inputs"]["text"];
}

std::string prefix_of(const std::string& prefix, const ConversionOptions& options = {}) {
    json source = node(1, "Source", {}, {64});
    source["title"] = "My source";
    return converted(saved({source, node(2, "SaveImage", {}, {prefix})}), classes_of(),
                     options)["2"]["inputs"]["filename_prefix"];
}

TEST(Text, CommentsAreCut) {
    EXPECT_EQ(text_of("a cat // not a dog\nand a hat"), "a cat \nand a hat");
    EXPECT_EQ(text_of("a /* big\nred */cat"), "a cat");
    EXPECT_EQ(text_of("see http://x"), "see http:");
    EXPECT_EQ(text_of("open /* end"), "open /* end");
}

TEST(Text, OneOfTheChoicesIsTaken) {
    EXPECT_THAT(text_of("a {red|blue} cat"), AnyOf("a red cat", "a blue cat"));
    EXPECT_THAT(text_of("{x{1|2}|y}"), AnyOf("x1", "x2", "y"));
    EXPECT_EQ(text_of("{only}"), "only");
    EXPECT_EQ(text_of("{a|b|c|d|e|f|g|h}", 7), text_of("{a|b|c|d|e|f|g|h}", 7));
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < 50; ++seed)
        seen.insert(text_of("{a|b}", seed));
    EXPECT_EQ(seen.size(), 2u);
}

TEST(Text, EscapedBracesAreBraces) {
    EXPECT_EQ(text_of(R"(\{a\|b\})"), "{a|b}");
    EXPECT_EQ(text_of(R"(end\)"), R"(end\)");
    EXPECT_EQ(text_of(R"(C:\new)"), R"(C:\new)");
}

TEST(Text, BracesWithoutEndAreNoHarm) {
    EXPECT_EQ(text_of("{a"), "a");
    EXPECT_EQ(text_of("a}"), "a}");
    EXPECT_FALSE(text_of(std::string(5'000, '{')).empty());
}

TEST(Prefix, TellsTheDate) {
    std::tm day{};
    day.tm_year = 126;
    day.tm_mon = 2;
    day.tm_mday = 4;
    day.tm_hour = 5;
    day.tm_min = 6;
    day.tm_sec = 7;
    day.tm_isdst = -1;
    const ConversionOptions options{.now =
                                        std::chrono::system_clock::from_time_t(std::mktime(&day))};
    EXPECT_EQ(prefix_of("%date:yyyy-MM-dd%/x", options), "2026-03-04/x");
    EXPECT_EQ(prefix_of("%date:yy M d h m s hhmmss%", options), "26 3 4 5 6 7 050607");
    EXPECT_EQ(prefix_of("%date:yyy%%width%", options), "yyy%width%");
}

TEST(Prefix, NamesTheWidgetOfANode) {
    EXPECT_EQ(prefix_of("a_%Source.size%_b"), "a_64_b");
    EXPECT_EQ(prefix_of("%My source.size%"), "64");
    EXPECT_EQ(prefix_of("%My source.none%/%None.size%"), "%My source.none%/%None.size%");
    EXPECT_EQ(prefix_of("100%"), "100%");
}

TEST(Prefix, WhatNoFileNameMayHoldIsReplaced) {
    json source = node(1, "Text", {}, {"a/b:c"});
    EXPECT_EQ(converted(saved({source, node(2, "SaveImage", {},
                                            {"%Text.text%"})}))["2"]["inputs"]["filename_prefix"],
              "a_b_c");
}

}  // namespace
}  // namespace podctl::workflow::test

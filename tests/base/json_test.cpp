#include "podctl/base/json.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include <string>

namespace podctl {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

std::string repeated(const std::string& text, std::size_t times) {
    std::string all;
    all.reserve(text.size() * times);
    for (std::size_t i = 0; i < times; ++i)
        all += text;
    return all;
}

std::string nested(std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
}

TEST(ParseJson, TakesWhatIsJson) {
    EXPECT_EQ(parse_json(R"({"a": [1, -2, 3.5, true, null, "é\u0000"]})")->at("a").size(), 6u);
    EXPECT_EQ(json_fault("[]"), "");
    EXPECT_EQ(parse_ordered_json(R"({"b": 1, "a": 2})")->dump(), R"({"b":1,"a":2})");
    EXPECT_EQ(parse_json(R"({"a": 1, "a": 2})")->at("a"), 2);
    EXPECT_EQ(parse_json("\xEF\xBB\xBF{}"), json::object());
}

TEST(ParseJson, SaysWhatIsWrongWithNothingOfTheText) {
    for (const std::string text : {"", "{", "nul", "[1,]", "{\"a\" 1}", "[1] x", "\xff", "'a'",
                                   "[1e999]", "[NaN]", "\"\x1b]52;c;\x07\""}) {
        EXPECT_FALSE(parse_json(text)) << text;
        EXPECT_FALSE(parse_ordered_json(text)) << text;
        const auto fault = json_fault(text);
        EXPECT_THAT(fault, testing::StartsWith("not JSON")) << text;
        EXPECT_THAT(fault, Not(HasSubstr("\x1b")));
    }
    EXPECT_THAT(json_fault("{\n\"a\": }"), HasSubstr("line 2, column 6"));
    EXPECT_THAT(json_fault("[" + std::string(1'000'000, '9') + "e999999]"),
                HasSubstr("number overflow"));
    EXPECT_LT(json_fault("[" + std::string(1'000'000, '9') + "e999999]").size(), 100u);
}

TEST(ParseJson, TakesANumberOfAMillionDigits) {
    const auto long_fraction = "[0." + std::string(1'000'000, '1') + "]";
    EXPECT_TRUE(parse_json(long_fraction));
}

TEST(ParseJson, RefusesWhatIsBeyondItsLimits) {
    EXPECT_TRUE(parse_json(nested(100)));
    EXPECT_THAT(json_fault(nested(101)), HasSubstr("nested too deeply: more than 100 levels"));
    EXPECT_THAT(json_fault(std::string(5'000'000, '[')), HasSubstr("nested too deeply"));
    EXPECT_THAT(json_fault(repeated("{\"a\":", 5000)), HasSubstr("nested too deeply"));
    EXPECT_THAT(json_fault("[" + repeated("[],", 3) + "0]", {.values = 4}),
                HasSubstr("more than 4 values"));
    EXPECT_EQ(json_fault("[" + repeated("[],", 3) + "0]", {.values = 5}), "");
    EXPECT_THAT(json_fault(R"({"a":0,"b":0,"c":0})", {.members = 2}),
                HasSubstr("more than 2 members"));
    EXPECT_EQ(json_fault(R"([{"a":0,"b":0},{"c":0,"d":0}])", {.members = 2}), "");
    EXPECT_THAT(json_fault("[1234]", {.bytes = 5}), HasSubstr("more than 5 bytes"));
    EXPECT_EQ(json_fault("[1234]", {.bytes = 6}), "");
}

// What is refused costs no memory beside its text: 60 MB of [] would be 13 GB as values.
TEST(ParseJson, RefusesAtNoCost) {
    const auto text = "[" + repeated("[],", 20'000'000) + "0]";
    rusage before{}, after{};
    ::getrusage(RUSAGE_SELF, &before);
    EXPECT_FALSE(parse_json(text, {.bytes = 100u << 20}));
    ::getrusage(RUSAGE_SELF, &after);
    EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10);  // KiB
}

TEST(ParseJson, TakesNoLongerForManyMembersThanForOthers) {
    std::string text = "{";
    for (int i = 0; i < 400'000; ++i)
        text += "\"" + std::to_string(i) + "\":0,";
    text += "\"x\":0}";
    EXPECT_FALSE(parse_ordered_json(text));
    EXPECT_TRUE(parse_json(text, {.members = 500'000}));
}

TEST(ParseJson, FindsAMemberThatIsThereTwice) {
    EXPECT_EQ(repeated_member(R"({"a":{"b":1,"b":2},"c":0})"), std::nullopt);
    EXPECT_EQ(repeated_member(R"({"a":0,"c":0,"\u0061":1})"), "a");
    EXPECT_EQ(repeated_member("["), std::nullopt);
}

}  // namespace
}  // namespace podctl

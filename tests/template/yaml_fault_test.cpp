#include "yaml_fault.hpp"

#include "podctl/template/load.hpp"

#include "support/error_of.hpp"

#include <gmock/gmock.h>

// What is said of a template that is no YAML.
namespace podctl::tmpl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string fault_in(const std::string& text) {
    return podctl::test::error_of([&] { parse_template(text, "pod.yaml"); }).message();
}

TEST(YamlFault, ShowsTheLineWithACaretAndTheOneAboveIt) {
    EXPECT_THAT(fault_in("apiVersion: podctl/v1\nname: x\ncomfyui:\n  port: 9000\n listen: 1\n"),
                HasSubstr("\n  4 |   port: 9000\n  5 |  listen: 1\n    |  ^"));
}

TEST(YamlFault, SaysThatALineIsIndentedAsNoOtherIs) {
    EXPECT_THAT(fault_in("apiVersion: podctl/v1\nname: x\ncomfyui:\n  port: 9000\n listen: 1\n"),
                AllOf(HasSubstr("pod.yaml:5:2: not valid YAML: end of map not found"),
                      HasSubstr("this line is indented by 1, the ones above it by 0, 2")));
}

TEST(YamlFault, SaysWhichBracketIsNotClosed) {
    EXPECT_THAT(fault_in("name: x\nmodels:\n  - {source: \"hf:a/{b\", to: vae  # }\ncomfyui: {}\n"),
                HasSubstr("the bracket that line 3 opens is not closed"));
}

TEST(YamlFault, SaysThatTextWithAColonNeedsQuotes) {
    EXPECT_THAT(fault_in("name: a: b\n"), HasSubstr("text with \": \" in it needs quotes"));
}

// A template that is shared in an issue with its error must not give its token away.
TEST(YamlFault, ShowsNoSecretOfTheLine) {
    const auto told = fault_in("name: x\npod: {env: {T: hf_abcdefghijklmnopqrstuvwxyz01234567}\n");
    EXPECT_THAT(told, AllOf(HasSubstr("  2 | "), Not(HasSubstr("hf_abcdefghij"))));
}

TEST(YamlFault, TheCaretStandsBelowItsPlaceWhateverIsBefore) {
    EXPECT_EQ(excerpt("a\n\tü日: x", {2, 4}), "  1 | a\n  2 | \tü日: x\n    | \t  ^");
    EXPECT_EQ(excerpt("a", {1, 1}), "  1 | a\n    | ^");
    EXPECT_EQ(excerpt("", {1, 1}), "  1 | \n    | ^");
    EXPECT_EQ(excerpt("a", {0, 0}), "");
}

}  // namespace
}  // namespace podctl::tmpl

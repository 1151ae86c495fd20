#include "junit.hpp"

#include <gmock/gmock.h>

namespace podctl::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

event::SmokeFinished finished() {
    return {.step = "smoke", .url = "http://x", .workflow = "a&b.json", .prompt_id = "1"};
}

const std::vector<comfy::SmokeNode> nodes{{"1", "EmptyImage", ""}, {"2", "SaveImage", ""}};

TEST(Junit, ARunThatWentWellHasACaseForItselfAndEachNode) {
    auto smoke = finished();
    smoke.outputs = {
        {.node = "2", .class_type = "SaveImage", .file = "a.png", .url = "http://x/a"}};
    const auto xml = junit_xml(smoke, nodes, std::chrono::milliseconds{1500});
    EXPECT_THAT(xml, HasSubstr("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
    EXPECT_THAT(xml, HasSubstr("tests=\"3\" failures=\"0\" errors=\"0\" skipped=\"0\" "
                               "time=\"1.500\""));
    EXPECT_THAT(xml, HasSubstr("name=\"podctl smoke: a&amp;b.json\""));
    EXPECT_THAT(xml, HasSubstr("name=\"node 2 (SaveImage)\""));
    EXPECT_THAT(xml, HasSubstr("<system-out>http://x/a&#10;</system-out>"));
}

TEST(Junit, AFaultFailsItsNodeAndTheOthersAreSkipped) {
    auto smoke = finished();
    smoke.faults = {{.node = "2",
                     .class_type = "SaveImage",
                     .input = "images",
                     .message = "\"<wrong>\" \x01\xff",
                     .hint = "do this",
                     .details = "line 1"}};
    const auto xml = junit_xml(smoke, nodes, std::chrono::milliseconds{0});
    EXPECT_THAT(xml, HasSubstr("failures=\"1\" errors=\"0\" skipped=\"1\""));
    EXPECT_THAT(xml, HasSubstr("message=\"&quot;&lt;wrong&gt;&quot; \\x01\\xff\""));
    EXPECT_THAT(xml, HasSubstr("hint: do this&#10;line 1</failure>"));
    EXPECT_THAT(xml, HasSubstr("name=\"node 1 (EmptyImage)\" time=\"0.000\"><skipped"));
}

TEST(Junit, WhatBelongsToNoNodeFailsTheRun) {
    auto smoke = finished();
    smoke.faults = {{.message = "ComfyUI cannot be reached"}};
    const auto xml = junit_xml(smoke, {}, std::chrono::milliseconds{0});
    EXPECT_THAT(xml, HasSubstr("tests=\"1\" failures=\"1\""));
    EXPECT_THAT(xml, HasSubstr("name=\"run\" time=\"0.000\"><failure message=\"ComfyUI cannot"));
    EXPECT_THAT(xml, Not(HasSubstr("skipped message")));
}

}  // namespace
}  // namespace podctl::cli

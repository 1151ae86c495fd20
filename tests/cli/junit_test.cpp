#include "junit.hpp"

#include <gmock/gmock.h>

namespace podctl::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using State = event::WorkflowNode::State;

event::WorkflowFinished finished(State first, State second) {
    return {.step = "smoke",
            .url = "http://x",
            .workflow = "a&b.json",
            .prompt_id = "1",
            .nodes = {{.id = "1", .class_type = "EmptyImage", .state = first, .took = 250ms},
                      {.id = "2", .class_type = "SaveImage", .state = second, .took = 1s}}};
}

TEST(Junit, ARunThatWentWellHasACaseForItselfAndEachNode) {
    auto smoke = finished(State::ran, State::ran);
    smoke.outputs = {
        {.node = "2", .class_type = "SaveImage", .file = "a.png", .url = "http://x/a"}};
    const auto xml = junit_xml(smoke, 1500ms);
    EXPECT_THAT(xml, HasSubstr("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
    EXPECT_THAT(xml, HasSubstr("tests=\"3\" failures=\"0\" errors=\"0\" skipped=\"0\" "
                               "time=\"1.500\""));
    EXPECT_THAT(xml, HasSubstr("name=\"podctl smoke: a&amp;b.json\""));
    EXPECT_THAT(xml, HasSubstr("name=\"node 1 (EmptyImage)\" time=\"0.250\">"));
    EXPECT_THAT(xml, HasSubstr("name=\"node 2 (SaveImage)\" time=\"1.000\">"));
    EXPECT_THAT(xml, HasSubstr("<system-out>http://x/a&#10;</system-out>"));
}

TEST(Junit, AFaultFailsItsNodeAndTheRunAndWhatDidNotRunIsSkipped) {
    auto smoke = finished(State::ran, State::failed);
    smoke.nodes.push_back({.id = "3", .class_type = "Last"});
    smoke.faults = {{.node = "2",
                     .class_type = "SaveImage",
                     .input = "images",
                     .message = "\"<wrong>\" \x01\xff",
                     .hint = "do this",
                     .details = "line 1"}};
    const auto xml = junit_xml(smoke, 0ms);
    EXPECT_THAT(xml, HasSubstr("failures=\"2\" errors=\"0\" skipped=\"1\""));
    EXPECT_THAT(xml, HasSubstr("message=\"&quot;&lt;wrong&gt;&quot; \\x01\\xff\""));
    EXPECT_THAT(xml, HasSubstr("hint: do this&#10;line 1</failure>"));
    EXPECT_THAT(xml, HasSubstr("name=\"run\" time=\"0.000\"><failure"));
    // It ran, and did it well.
    EXPECT_THAT(xml, HasSubstr("name=\"node 1 (EmptyImage)\" time=\"0.250\"></testcase>"));
    EXPECT_THAT(xml, HasSubstr("name=\"node 3 (Last)\" time=\"0.000\"><skipped"));
}

TEST(Junit, AFaultOfSeveralNodesFailsEachOfThem) {
    auto smoke = finished(State::cached, State::cached);
    smoke.faults = {{.node = "1", .class_type = "EmptyImage", .message = "cached", .also = {"2"}}};
    EXPECT_THAT(junit_xml(smoke, 0ms), HasSubstr("tests=\"3\" failures=\"3\""));
}

TEST(Junit, WhatBelongsToNoNodeFailsTheRun) {
    event::WorkflowFinished smoke{.step = "smoke"};
    smoke.faults = {{.message = "ComfyUI cannot be reached"}};
    const auto xml = junit_xml(smoke, 0ms);
    EXPECT_THAT(xml, HasSubstr("tests=\"1\" failures=\"1\""));
    EXPECT_THAT(xml, HasSubstr("name=\"run\" time=\"0.000\"><failure message=\"ComfyUI cannot"));
    EXPECT_THAT(xml, Not(HasSubstr("skipped message")));
}

}  // namespace
}  // namespace podctl::cli

#include "output.hpp"

#include "podctl/event/redacting_sink.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace podctl::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

json parsed(const Event& event) {
    return json::parse(json_of(event));
}

TEST(JsonOutput, EveryLineHasATimeAndAnEvent) {
    const json line = parsed(event::StepStarted{"python.venv"});
    EXPECT_THAT(line.value("time", ""),
                MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"));
    EXPECT_EQ(line.value("event", ""), "step.started");
    EXPECT_EQ(line.value("step", ""), "python.venv");
}

TEST(JsonOutput, AFailureCarriesCodeMessageAndHint) {
    const json line =
        parsed(event::StepFailed{"model:x", ErrorKind::integrity, "wrong", "again", false});
    EXPECT_EQ(line["error"],
              (json{{"code", "integrity"}, {"message", "wrong"}, {"hint", "again"}}));
}

TEST(JsonOutput, AnUnknownTotalIsNull) {
    EXPECT_TRUE(parsed(event::StepProgress{"s", 5, std::nullopt, "bytes"})["total"].is_null());
    EXPECT_EQ(parsed(event::StepProgress{"s", 5, 10, "bytes"})["total"], 10);
}

TEST(JsonOutput, AnExitIsACodeOrASignal) {
    EXPECT_EQ(parsed(event::ServiceExited{"comfyui", 3, 0}).value("code", 0), 3);
    const json killed = parsed(event::ServiceExited{"comfyui", 0, 9});
    EXPECT_EQ(killed.value("signal", 0), 9);
    EXPECT_FALSE(killed.contains("code"));
}

TEST(JsonOutput, WhatServicesPrintIsAnEventAsOfLogs) {
    const json line = parsed(event::ServiceOutput{"comfyui", "a line"});
    EXPECT_EQ(line["event"], "log");
    EXPECT_EQ(line["step"], "service:comfyui");
    EXPECT_EQ(line["line"], "a line");
}

TEST(JsonOutput, WhatIsKeptAndWhatDidNotRunAreTwoThings) {
    using Why = event::StepSkipped::Why;
    EXPECT_EQ(parsed(event::StepSkipped{"a", "at 123"})["event"], "step.skipped");
    const json line = parsed(event::StepSkipped{"a", "comfyui.clone failed", Why::not_run});
    EXPECT_EQ(line["event"], "step.not_run");
    EXPECT_EQ(line["reason"], "comfyui.clone failed");
}

TEST(JsonOutput, BytesThatAreNoUtf8AreReplaced) {
    EXPECT_THAT(json_of(event::Notice{"", "a\xff"}), HasSubstr("a\xEF\xBF\xBD"));
}

TEST(Redacted, HidesAPasswordInTheNameOfAStepToo) {
    const std::string step = "http://user:pass@host/x";
    for (const Event& event :
         {Event{event::StepStarted{step}}, Event{event::StepProgress{step}},
          Event{event::StepFinished{step}},
          Event{event::StepFailed{step, ErrorKind::io, step, step}},
          Event{event::Notice{step, step}}, Event{event::FileReady{step, step, "", 1}}}) {
        const auto line = json_of(redacted(event, Redactor{}));
        EXPECT_THAT(line, Not(HasSubstr("pass@")));
        EXPECT_THAT(line, HasSubstr("http://user:***@host/x"));
    }
}

TEST(TextOutput, AFailureSaysWhatWhereAndWhatNext) {
    const Line line =
        line_of(event::StepFailed{"model:x", ErrorKind::integrity, "wrong", "again", false},
                Verbosity::normal);
    EXPECT_EQ(line.text, "model:x: failed: wrong\n  hint: again");
    EXPECT_EQ(line.tone, Line::Tone::bad);
}

TEST(TextOutput, AStopIsNotToldForEveryStep) {
    const Event stopped = event::StepFailed{"a", ErrorKind::interrupted, "stopped", "", false};
    EXPECT_THAT(line_of(stopped, Verbosity::normal).text, IsEmpty());
    EXPECT_EQ(line_of(stopped, Verbosity::verbose).text, "a: failed: stopped");
}

TEST(TextOutput, WhatNeededNothingIsToldOnlyWhenAsked) {
    const Event skipped = event::StepSkipped{"node:a", "at 123"};
    EXPECT_THAT(line_of(skipped, Verbosity::normal).text, IsEmpty());
    EXPECT_EQ(line_of(skipped, Verbosity::verbose).text, "node:a: nothing to do (at 123)");
}

TEST(TextOutput, WhatCouldNotBeRunIsAWarning) {
    const auto line = line_of(
        event::StepSkipped{"node:a", "comfyui.clone failed", event::StepSkipped::Why::not_run},
        Verbosity::normal);
    EXPECT_EQ(line.text, "node:a: comfyui.clone failed");
    EXPECT_EQ(line.tone, Line::Tone::warning);
}

TEST(TextOutput, UrlsAndWhatServicesPrintAreData) {
    EXPECT_TRUE(
        line_of(event::ServiceReady{"comfyui", "http://127.0.0.1:9000", {}}, Verbosity::normal)
            .data);
    EXPECT_TRUE(line_of(event::ServiceOutput{"comfyui", "x"}, Verbosity::normal).data);
    EXPECT_FALSE(line_of(event::StepStarted{"a"}, Verbosity::normal).data);
}

TEST(TextOutput, ProgressHasAmountsAndAPercentage) {
    const Line line =
        line_of(event::StepProgress{"model:x", 500, 1000, "bytes"}, Verbosity::normal);
    EXPECT_EQ(line.text, "model:x: 500 B of 1.0 KB (50%)");
    const Overall all{.bytes = {.done = 1'200'000'000,
                                .total = 8'400'000'000,
                                .rate = 85'000'000,
                                .eta = std::chrono::seconds{85}}};
    EXPECT_EQ(line_of(all).text, "in all: 1.2 GB of 8.4 GB (14%), 85.0 MB/s, 1m25s left");
}

event::WorkflowFinished smoke() {
    return {.step = "smoke",
            .url = "http://x",
            .workflow = "w.json",
            .prompt_id = "p",
            .outputs = {{.node = "3",
                         .class_type = "SaveImage",
                         .file = "a.png",
                         .url = "http://x/view?filename=a.png",
                         .type = "output",
                         .format = "png",
                         .size = 1200,
                         .width = 64,
                         .height = 48}}};
}

event::WorkflowFault fault(const std::string& message) {
    return {.node = "2",
            .class_type = "Loader",
            .input = "file",
            .message = message,
            .hint = "do this",
            .details = "a traceback"};
}

TEST(SmokeOutput, IsOneLineForEachThingThatWasMade) {
    const Line line = line_of(smoke(), Verbosity::normal);
    EXPECT_EQ(line.text, "http://x/view?filename=a.png: png 64x48, 1.2 KB");
    EXPECT_TRUE(line.data);
    const json parsed_line = parsed(smoke());
    EXPECT_EQ(parsed_line["event"], "smoke.finished");
    EXPECT_EQ(parsed_line["ok"], true);
    EXPECT_EQ(parsed_line["outputs"][0]["width"], 64);
}

TEST(SmokeOutput, NamesWhereAFileWasSavedAndNodesThatShareAFault) {
    auto made = smoke();
    made.as = event::WorkflowFinished::As::run;
    made.nodes = {{.id = "3",
                   .class_type = "SaveImage",
                   .state = event::WorkflowNode::State::ran,
                   .took = std::chrono::milliseconds{1500}}};
    made.outputs[0].path = "out/a.png";
    EXPECT_EQ(line_of(made, Verbosity::normal).text, "out/a.png: png 64x48, 1.2 KB");
    const json line = parsed(made);
    EXPECT_EQ(line["event"], "workflow.finished");
    EXPECT_EQ(line["outputs"][0]["path"], "out/a.png");
    EXPECT_EQ(line["nodes"][0]["state"], "ran");
    EXPECT_EQ(line["nodes"][0]["seconds"], 1.5);
    auto shared = fault("it is missing");
    shared.also = {"5", "7"};
    EXPECT_EQ(text_of(shared), "node 2 (Loader), file and nodes 5, 7: it is missing");
    shared.also.assign(9, "x");
    EXPECT_EQ(text_of(shared), "node 2 (Loader), file and 9 other nodes: it is missing");
}

TEST(ProgressOutput, SaysWhatIsBeingDone) {
    const event::StepProgress progress{"smoke", 1, 4, "nodes", "KSampler (node 3), 2 of 8 steps"};
    EXPECT_EQ(line_of(progress, Verbosity::normal).text,
              "smoke: 1 of 4 (25%) nodes, KSampler (node 3), 2 of 8 steps");
    EXPECT_EQ(parsed(progress)["detail"], "KSampler (node 3), 2 of 8 steps");
}

TEST(SmokeOutput, NamesEachFaultUnlessTheStepsOwnLineDoes) {
    auto failed = smoke();
    failed.faults = {fault("one")};
    EXPECT_EQ(line_of(failed, Verbosity::normal).text, "");
    EXPECT_THAT(line_of(failed, Verbosity::verbose).text, HasSubstr("a traceback"));
    failed.faults.push_back(fault("two"));
    const Line line = line_of(failed, Verbosity::normal);
    EXPECT_EQ(line.text,
              "node 2 (Loader), file: one\n  hint: do this\n"
              "node 2 (Loader), file: two\n  hint: do this");
    EXPECT_FALSE(line.data);
    EXPECT_EQ(parsed(failed)["ok"], false);
    EXPECT_EQ(parsed(failed)["faults"][1]["message"], "two");
}

// ComfyUI, its packs and hubs say what they like, as long as they like.
TEST(SmokeOutput, QuotesOthersWithinBounds) {
    const std::string endless(1 << 20, 'x');
    auto failed = smoke();
    failed.prompt_id = failed.outputs[0].file = failed.outputs[0].class_type = endless;
    auto told = fault(endless);
    told.details = told.hint = told.node = endless;
    failed.faults = {told};
    EXPECT_LT(json_of(redacted(failed, Redactor{})).size(), 50'000u);
    EXPECT_LT(json_of(redacted(event::Notice{"a", endless}, Redactor{})).size(), 5'000u);
}

// Where an error cuts what it quotes there may be half of a secret, which no redactor knows.
TEST(Redaction, LeavesNoHalfOfASecretThatAnErrorHasCut) {
    const std::string secret(200, 's');
    const Redactor redact{{Secret{secret}}};
    for (std::size_t before = 7'800; before < 8'200; before += 50) {
        const Error error{ErrorKind::python,
                          std::string(before, 'x') + secret + std::string(20'000, 'y')};
        const auto failed = redacted(
            event::StepFailed{"a", error.kind(), error.message(), error.hint(), false}, redact);
        EXPECT_EQ(json_of(failed).find("sss"), std::string::npos) << before;
    }
}

TEST(SmokeOutput, HasNoSecret) {
    auto failed = smoke();
    failed.outputs[0].url = "http://user:hunter22@x/a";
    failed.faults = {fault("the key is hunter22")};
    const auto clean = redacted(failed, Redactor{{Secret{"hunter22"}}});
    EXPECT_THAT(json_of(clean), ::testing::Not(HasSubstr("hunter22")));
}

}  // namespace
}  // namespace podctl::cli

#include "output.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace podctl::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

json parsed(const Event& event) {
    return json::parse(*json_of(event));
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

TEST(JsonOutput, WhatServicesPrintStaysInTheirLogs) {
    EXPECT_EQ(json_of(event::ServiceOutput{"comfyui", "line"}), std::nullopt);
}

TEST(JsonOutput, BytesThatAreNoUtf8AreReplaced) {
    EXPECT_THAT(*json_of(event::Notice{"", "a\xff"}), HasSubstr("a\xEF\xBF\xBD"));
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

}  // namespace
}  // namespace podctl::cli

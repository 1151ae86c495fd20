#include "paced_output.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace podctl::cli {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Clock = Meter::Clock;
constexpr Clock::time_point start{seconds{1'000}};

class Json : public testing::Test {
protected:
    std::vector<json> tell(const Event& event) {
        std::vector<json> parsed;
        for (const auto& line : lines.of(event, now))
            parsed.push_back(json::parse(line));
        return parsed;
    }
    JsonLines lines;
    Clock::time_point now = start;
};

TEST_F(Json, TellsAStepsProgressOnceASecondWithRateAndEta) {
    EXPECT_THAT(tell(event::StepProgress{"a", 0, 1'000}), SizeIs(1));
    now += milliseconds{900};
    EXPECT_THAT(tell(event::StepProgress{"a", 90, 1'000}), IsEmpty());
    now += milliseconds{1'100};
    const auto told = tell(event::StepProgress{"a", 200, 1'000});
    ASSERT_THAT(told, SizeIs(1));
    EXPECT_EQ(told[0]["event"], "step.progress");
    EXPECT_EQ(told[0]["unit"], "bytes");
    EXPECT_GT(told[0]["rate"], 0);
    EXPECT_TRUE(told[0]["rate"].is_number_integer());
    EXPECT_TRUE(told[0]["eta"].is_number_integer());
}

TEST_F(Json, TellsTheLastProgressBeforeTheEnd) {
    tell(event::StepProgress{"a", 0, 1'000});
    now += milliseconds{10};
    tell(event::StepProgress{"a", 500, 1'000});
    tell(event::StepProgress{"a", 1'000, 1'000});
    const auto told = tell(event::StepFinished{"a", {}, true});
    ASSERT_THAT(told, SizeIs(2));
    EXPECT_EQ(told[0]["done"], 1'000);
    EXPECT_EQ(told[1]["event"], "step.finished");
}

TEST_F(Json, WhatIsNotKnownIsNull) {
    const auto told = tell(event::StepProgress{"a", 0, std::nullopt});
    EXPECT_TRUE(told.at(0)["total"].is_null());
    EXPECT_TRUE(told.at(0)["eta"].is_null());
    EXPECT_EQ(told.at(0)["rate"], 0);
    EXPECT_TRUE(tell(event::StepProgress{"b", 1, 2, "files"}).at(0)["rate"].is_null());
}

TEST_F(Json, TellsOfAllFilesOnceASecondWhileTwoRun) {
    const auto count_all = [&](const std::vector<json>& told) {
        return std::ranges::count_if(told,
                                     [](const json& it) { return it["event"] == "run.progress"; });
    };
    EXPECT_EQ(count_all(tell(event::StepProgress{"a", 0, 1'000})), 0);
    const auto both = tell(event::StepProgress{"b", 0, 3'000});
    ASSERT_EQ(count_all(both), 1);
    EXPECT_EQ(both.back()["total"], 4'000);
    EXPECT_EQ(both.back()["files"], 2);
    EXPECT_EQ(both.back()["files_done"], 0);
    EXPECT_TRUE(both.back()["eta"].is_null());
    now += milliseconds{500};
    EXPECT_EQ(count_all(tell(event::StepProgress{"a", 100, 1'000})), 0);
    now += milliseconds{500};
    EXPECT_EQ(count_all(tell(event::StepProgress{"a", 200, 1'000})), 1);
    tell(event::StepFinished{"b", {}, true});
    now += seconds{5};
    EXPECT_EQ(count_all(tell(event::StepProgress{"a", 300, 1'000})), 0);
}

class Plain : public testing::Test {
protected:
    std::vector<std::string> tell(const Event& event) {
        std::vector<std::string> texts;
        for (const auto& line : lines.of(event, now))
            texts.push_back(line.text);
        return texts;
    }
    PlainLines lines{Verbosity::normal};
    Clock::time_point now = start;
};

TEST_F(Plain, TellsProgressEveryTenSeconds) {
    std::vector<std::string> all;
    for (std::uint64_t i = 0; i <= 25; ++i) {
        for (auto& text : tell(event::StepProgress{"a", i * 1'000'000, 100'000'000}))
            all.push_back(text);
        now += seconds{1};
    }
    EXPECT_THAT(all, ElementsAre("a: 10.0 MB of 100.0 MB (10%), 1.0 MB/s, 1m30s left",
                                 "a: 20.0 MB of 100.0 MB (20%), 1.0 MB/s, 1m20s left"));
}

TEST_F(Plain, TellsAlsoOfAllFilesWhenSomeRun) {
    for (int i = 0; i <= 10; ++i) {
        now += seconds{1};
        tell(event::StepProgress{"a", 0, 1'000});
        if (i < 10) tell(event::StepProgress{"b", 0, 1'000});
    }
    now += seconds{10};
    EXPECT_THAT(tell(event::StepProgress{"b", 0, 1'000}),
                ElementsAre("b: 0 B of 1.0 KB (0%)", "in all: 0 B of 2.0 KB (0%)"));
}

TEST_F(Plain, TellsOnlyOfAllFilesWhenManyRun) {
    std::vector<std::string> all;
    for (int second = 0; second <= 10; ++second) {
        for (int file = 0; file < 64; ++file) {
            const auto step = fmt::format("file {}", file);
            const auto done = static_cast<std::uint64_t>(second) * 1'000;
            for (auto& text : tell(event::StepProgress{step, done, 64'000}))
                all.push_back(text);
        }
        now += seconds{1};
    }
    ASSERT_THAT(all, SizeIs(1));
    EXPECT_THAT(all[0], ::testing::StartsWith("in all: "));
    EXPECT_THAT(all[0], ::testing::EndsWith(" left"));
}

TEST_F(Plain, SaysNothingOfProgressWhenQuiet) {
    PlainLines quiet{Verbosity::quiet};
    EXPECT_THAT(quiet.of(event::StepProgress{"a", 0, 1'000}, now), IsEmpty());
    now += seconds{20};
    EXPECT_THAT(quiet.of(event::StepProgress{"a", 10, 1'000}, now), IsEmpty());
    const event::StepFailed failed{"a", ErrorKind::network, "gone", "", false};
    EXPECT_THAT(quiet.of(failed, now), SizeIs(1));
}

}  // namespace
}  // namespace podctl::cli

#include "podctl/event/meter.hpp"

#include <gtest/gtest.h>

namespace podctl {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Events at times that the test makes up.
class MeterTest : public testing::Test {
protected:
    void progress(const std::string& step, std::uint64_t done,
                  std::optional<std::uint64_t> total = {}, const char* unit = "bytes") {
        meter.observe(event::StepProgress{step, done, total, unit}, now);
    }
    Reading of(const std::string& step) const { return meter.of(step).value(); }

    Meter meter;
    Meter::Clock::time_point now = Meter::Clock::time_point{} + seconds{1'000};
};

TEST_F(MeterTest, TellsRateAndTimeLeft) {
    progress("a", 0, 1'000);
    now += seconds{1};
    progress("a", 100, 1'000);
    EXPECT_EQ(of("a").done, 100u);
    EXPECT_DOUBLE_EQ(of("a").rate, 100);
    EXPECT_EQ(of("a").eta, seconds{9});
}

TEST_F(MeterTest, KnowsNothingOfAStepThatToldNoProgress) {
    meter.observe(event::StepStarted{"a"}, now);
    EXPECT_FALSE(meter.of("a"));
    EXPECT_EQ(meter.all().files, 0u);
    EXPECT_FALSE(meter.all().bytes.total);
}

TEST_F(MeterTest, DoesNotTakeAResumedFilesBytesForItsRate) {
    progress("a", 5'000'000, 6'000'000);
    now += seconds{1};
    progress("a", 5'000'100, 6'000'000);
    EXPECT_DOUBLE_EQ(of("a").rate, 100);
    EXPECT_DOUBLE_EQ(meter.all().bytes.rate, 100);
    EXPECT_EQ(meter.all().bytes.done, 5'000'100u);
}

TEST_F(MeterTest, AFileThatStartsAnewCountsFromThere) {
    progress("a", 900, 1'000);
    now += seconds{1};
    progress("a", 0, 2'000);
    now += seconds{1};
    progress("a", 200, 2'000);
    EXPECT_EQ(of("a").done, 200u);
    EXPECT_GT(of("a").rate, 0);
    EXPECT_LT(of("a").rate, 201);
}

TEST_F(MeterTest, SmoothsAndForgets) {
    progress("a", 0, 1'000'000);
    now += seconds{1};
    progress("a", 1'000, 1'000'000);
    now += seconds{1};
    progress("a", 1'000, 1'000'000);  // nothing came
    EXPECT_GT(of("a").rate, 500);
    EXPECT_LT(of("a").rate, 900);
    for (int i = 0; i < 4; ++i) {
        now += seconds{1};
        progress("a", 1'000, 1'000'000);
    }
    EXPECT_EQ(of("a").rate, 0);
    EXPECT_FALSE(of("a").eta);  // what waits has no end in sight
    now += seconds{1};
    progress("a", 3'000, 1'000'000);
    EXPECT_DOUBLE_EQ(of("a").rate, 2'000);
}

TEST_F(MeterTest, ManyReportsInAMomentAreOneMeasurement) {
    progress("a", 0, 1'000);
    now += milliseconds{10};
    progress("a", 500, 1'000);
    EXPECT_EQ(of("a").rate, 0);
    now += milliseconds{990};
    progress("a", 600, 1'000);
    EXPECT_DOUBLE_EQ(of("a").rate, 600);
}

TEST_F(MeterTest, AFileOfUnknownSizeHasNoTimeLeftAndNorHasAll) {
    progress("a", 0);
    progress("b", 0, 1'000);
    now += seconds{1};
    progress("a", 100);
    progress("b", 100, 1'000);
    EXPECT_FALSE(of("a").eta);
    EXPECT_TRUE(of("b").eta);
    EXPECT_FALSE(meter.all().bytes.total);
    EXPECT_FALSE(meter.all().bytes.eta);
    EXPECT_EQ(meter.all().bytes.done, 200u);
}

TEST_F(MeterTest, AddsUpWhatRunsAndWhatRan) {
    progress("a", 0, 1'000);
    progress("b", 0, 3'000);
    progress("packages", 5, 9, "packages");
    now += seconds{1};
    progress("a", 900, 1'000);
    progress("b", 100, 3'000);
    meter.observe(event::StepFinished{"a", {}, true}, now);
    const auto all = meter.all();
    EXPECT_EQ(all.files, 2u);
    EXPECT_EQ(all.files_done, 1u);
    EXPECT_EQ(all.files_running, 1u);
    EXPECT_EQ(all.bytes.done, 1'100u);
    EXPECT_EQ(all.bytes.total, 4'000u);
    EXPECT_EQ(of("packages").unit, "packages");
    EXPECT_FALSE(of("packages").eta);
}

TEST_F(MeterTest, WhatFailedIsNotWaitedFor) {
    progress("a", 100, 1'000);
    progress("b", 100, 1'000);
    meter.observe(event::StepFailed{"a", ErrorKind::network, "", "", false}, now);
    EXPECT_EQ(meter.all().bytes.total, 1'100u);
    EXPECT_EQ(meter.all().files_done, 0u);
    EXPECT_EQ(meter.all().files_running, 1u);
}

TEST_F(MeterTest, APauseBetweenDownloadsIsNotSlowness) {
    progress("a", 0, 1'000);
    now += seconds{1};
    progress("a", 1'000, 1'000);
    meter.observe(event::StepFinished{"a", {}, true}, now);
    now += seconds{3'600};
    progress("b", 0, 2'000);
    now += seconds{1};
    progress("b", 1'000, 2'000);
    EXPECT_DOUBLE_EQ(meter.all().bytes.rate, 1'000);
}

}  // namespace
}  // namespace podctl

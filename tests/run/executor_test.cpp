#include "executor.hpp"

#include <gmock/gmock.h>

#include <condition_variable>
#include <functional>
#include <mutex>

namespace podctl::run {
namespace {

using ::testing::ElementsAre;

plan::Step step(std::string id, std::vector<std::string> needs = {}) {
    plan::Step made{
        .id = std::move(id), .action = plan::SystemPackages{}, .needs = std::move(needs)};
    return made;
}

plan::Step download(std::string id, std::string placed_after) {
    plan::Step made{.id = std::move(id), .action = plan::FetchModel{}};
    made.placed_after = {std::move(placed_after)};
    return made;
}

plan::Step step_after(std::string id, std::vector<std::string> after) {
    plan::Step made = step(std::move(id));
    made.after = std::move(after);
    return made;
}

// Records what ran, and does what each test tells it to.
class FakeRunner : public StepRunner {
public:
    using Behaviour = std::function<StepEnd(const plan::Step&, const WaitFor&, std::stop_token)>;
    explicit FakeRunner(Behaviour behaviour = {}) : behaviour_(std::move(behaviour)) {}

    StepEnd run(const plan::Step& step, const WaitFor& wait_for, std::stop_token stop) override {
        {
            const std::scoped_lock lock{mutex};
            ran.push_back(step.id);
            most_at_once = std::max(most_at_once, ++at_once);
        }
        const StepEnd end = behaviour_ ? behaviour_(step, wait_for, stop) : StepEnd{};
        const std::scoped_lock lock{mutex};
        --at_once;
        return end;
    }
    void not_run(const plan::Step& step, const std::string& because_of) override {
        const std::scoped_lock lock{mutex};
        left_out.push_back(step.id + " because of " + because_of);
    }

    std::mutex mutex;
    std::vector<std::string> ran, left_out;
    int at_once = 0, most_at_once = 0;

private:
    Behaviour behaviour_;
};

// Lets `count` threads go on once all of them have come.
class Meeting {
public:
    explicit Meeting(int count) : missing_(count) {}
    void come() {
        std::unique_lock lock{mutex_};
        if (--missing_ == 0) all_here_.notify_all();
        all_here_.wait(lock, [this] { return missing_ <= 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable all_here_;
    int missing_;
};

TEST(Executor, RunsAStepOnceAllThatItNeedsIsDone) {
    FakeRunner runner;
    execute({.places = {}, .steps = {step("a"), step("b", {"a"}), step("c", {"b"})}}, runner, 4,
            {});
    EXPECT_THAT(runner.ran, ElementsAre("a", "b", "c"));
}

TEST(Executor, RunsIndependentStepsAtOnce) {
    Meeting meeting{2};
    FakeRunner runner{[&](const auto&, const auto&, auto) {
        meeting.come();
        return StepEnd{};
    }};
    execute({.places = {}, .steps = {step("a"), step("b")}}, runner, 2, {});
    EXPECT_EQ(runner.most_at_once, 2);
}

TEST(Executor, KeepsToTheNumberOfJobs) {
    FakeRunner runner;
    execute({.places = {}, .steps = {step("a"), step("b"), step("c")}}, runner, 1, {});
    EXPECT_EQ(runner.most_at_once, 1);
}

TEST(Executor, DownloadsDoNotCountAsJobsAndHaveALimitOfTheirOwn) {
    Meeting meeting{32};
    FakeRunner runner{[&](const auto&, const auto&, auto) {
        meeting.come();
        return StepEnd{};
    }};
    plan::Plan plan{.places = {}, .steps = {}};
    for (int i = 0; i < 40; ++i)
        plan.steps.push_back(download(std::to_string(i), "clone"));
    execute(plan, runner, 1, {});
    EXPECT_EQ(runner.most_at_once, 32);
    EXPECT_EQ(runner.ran.size(), 40u);
}

TEST(Executor, RunsNoTwoStepsOfOneEnvironmentAtOnce) {
    FakeRunner runner;
    plan::Plan plan{.places = {}, .steps = {step("a"), step("b"), step("c")}};
    for (auto& it : plan.steps)
        it.exclusive = "venv";
    execute(plan, runner, 4, {});
    EXPECT_EQ(runner.most_at_once, 1);
    EXPECT_EQ(runner.ran.size(), 3u);
}

TEST(Executor, AFailureStopsOnlyWhatNeedsTheStep) {
    FakeRunner runner{[](const plan::Step& it, const auto&, auto) {
        return it.id == "a" ? StepEnd{StepEnd::State::failed, ErrorKind::network} : StepEnd{};
    }};
    const auto ends =
        execute({.places = {}, .steps = {step("a"), step("b", {"a"}), step("c", {"b"}), step("d")}},
                runner, 1, {});
    EXPECT_THAT(runner.ran, ElementsAre("a", "d"));
    EXPECT_THAT(runner.left_out, ElementsAre("b because of a", "c because of b"));
    EXPECT_EQ(ends.at("a").failure, ErrorKind::network);
    EXPECT_FALSE(ends.contains("b"));
}

TEST(Executor, WhatComesAfterAStepWaitsForItsEndHoweverItEnds) {
    FakeRunner runner{[](const plan::Step& it, const auto&, auto) {
        return it.id == "a" ? StepEnd{StepEnd::State::failed, ErrorKind::network} : StepEnd{};
    }};
    execute({.places = {},
             .steps = {step("a"), step("b", {"a"}), step_after("c", {"a"}), step_after("d", {"b"}),
                       step_after("e", {"unknown"})}},
            runner, 1, {});
    EXPECT_THAT(runner.ran, ElementsAre("a", "c", "d", "e"));
    EXPECT_THAT(runner.left_out, ElementsAre("b because of a"));
}

TEST(Executor, ADownloadRunsBesideTheCloneAndWaitsForItsPlace) {
    Meeting both_run{2};
    bool placed = false;
    FakeRunner runner{[&](const plan::Step& it, const WaitFor& wait_for, auto) {
        both_run.come();
        if (it.id == "model") placed = wait_for("clone");
        return StepEnd{};
    }};
    // One job: the two lanes do not wait for each other.
    execute({.places = {}, .steps = {download("model", "clone"), step("clone")}}, runner, 1, {});
    EXPECT_TRUE(placed);
}

TEST(Executor, ADownloadLearnsThatItsPlaceWillNeverBeThere) {
    bool placed = true;
    FakeRunner runner{[&](const plan::Step& it, const WaitFor& wait_for, auto) {
        if (it.id == "first") return StepEnd{StepEnd::State::failed, ErrorKind::git};
        if (it.id == "model") placed = wait_for("clone");
        return StepEnd{};
    }};
    execute({.places = {},
             .steps = {step("first"), step("clone", {"first"}), download("model", "clone")}},
            runner, 2, {});
    EXPECT_FALSE(placed);
}

TEST(Executor, AStopStartsNothingMore) {
    std::stop_source stop;
    bool placed = true;
    FakeRunner runner{[&](const plan::Step& it, const WaitFor& wait_for, auto) {
        if (it.id == "model") placed = wait_for("clone");
        if (it.id == "first") stop.request_stop();
        return StepEnd{};
    }};
    const auto ends =
        execute({.places = {},
                 .steps = {download("model", "clone"), step("first"), step("clone", {"first"})}},
                runner, 1, stop.get_token());
    EXPECT_FALSE(ends.contains("clone"));
    EXPECT_FALSE(placed);
}

}  // namespace
}  // namespace podctl::run

#include "podctl/serve/pod_steps.hpp"

#include "podctl/serve/control.hpp"

#include "control_protocol.hpp"

#include <gmock/gmock.h>

namespace podctl::serve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = PodStep::State;

const PodSteps::Clock::time_point begin{seconds{100}};

TEST(PodSteps, AreToldInTheirOrderWithWhatBecameOfThem) {
    PodSteps steps;
    steps.observe(event::StepSkipped{"python.venv", "there"}, begin);
    steps.observe(event::StepStarted{"comfyui.clone"}, begin);
    steps.observe(event::StepStarted{"model:x"}, begin);
    steps.observe(event::StepFailed{"comfyui.clone", ErrorKind::git, "no", ""}, begin + seconds{2});
    steps.observe(
        event::StepSkipped{"node:a", "comfyui.clone failed", event::StepSkipped::Why::not_run},
        begin + seconds{2});
    const auto told = steps.at(begin + seconds{5});
    ASSERT_EQ(told.size(), 4u);
    EXPECT_EQ(told[0].state, State::skipped);
    EXPECT_EQ(told[1].step, "comfyui.clone");
    EXPECT_EQ(told[1].state, State::failed);
    EXPECT_EQ(told[1].took, seconds{2});
    EXPECT_EQ(told[2].state, State::running);
    EXPECT_EQ(told[2].took, seconds{5});
    EXPECT_EQ(told[3].state, State::not_run);
}

TEST(PodSteps, HaveARateAndATimeThatIsLeft) {
    PodSteps steps;
    for (std::uint64_t second = 0; second <= 10; ++second)
        steps.observe(event::StepProgress{"model:x", 1000 * second, 20'000},
                      begin + second * seconds{1});
    auto reading = steps.at(begin + seconds{10})[0].progress.value();
    EXPECT_EQ(reading.done, 10'000u);
    EXPECT_NEAR(reading.rate, 1000, 1);
    EXPECT_EQ(reading.eta, seconds{10});
    steps.observe(event::StepFinished{"model:x", milliseconds{11'000}, true}, begin + seconds{11});
    const auto done = steps.at(begin + seconds{60})[0];
    EXPECT_EQ(done.state, State::done);
    EXPECT_EQ(done.took, seconds{11});
    EXPECT_EQ(done.progress.value().done, 20'000u);
}

TEST(PodSteps, GoThroughTheControlSocketWhole) {
    PodStatus status;
    status.steps = {{.step = "a", .state = State::not_run},
                    {.step = "model:x",
                     .state = State::running,
                     .took = milliseconds{1500},
                     .progress = Reading{.done = 5,
                                         .total = 10,
                                         .unit = "bytes",
                                         .rate = 2.5,
                                         .eta = seconds{2},
                                         .detail = "d"}}};
    const auto read = protocol::status_of(protocol::answer(status)).steps;
    ASSERT_EQ(read.size(), 2u);
    EXPECT_EQ(read[0].state, State::not_run);
    EXPECT_FALSE(read[0].progress);
    EXPECT_EQ(read[1].took, milliseconds{1500});
    const auto& progress = read[1].progress.value();
    EXPECT_EQ(progress.done, 5u);
    EXPECT_EQ(progress.total, 10u);
    EXPECT_EQ(progress.rate, 2.5);
    EXPECT_EQ(progress.eta, seconds{2});
    EXPECT_EQ(progress.detail, "d");
}

}  // namespace
}  // namespace podctl::serve

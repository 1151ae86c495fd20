#include "podctl/base/error.hpp"

#include "pod_fixture.hpp"

#include <csignal>
#include <map>

namespace podctl::serve {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using namespace std::chrono_literals;

class PodRestarts : public PodTest {
protected:
    // Sends the signal to a service whenever it is ready, at most so many times.
    void signal_when_ready(int signal, std::size_t times) {
        events_.on_event = [this, signal, times](const Event& event) {
            if (const auto* started = std::get_if<event::ServiceStarted>(&event))
                pids_[started->service] = started->pid;
            const auto* ready = std::get_if<event::ServiceReady>(&event);
            if (ready && events_.all<event::ServiceReady>().size() <= times)
                ::kill(pids_[ready->service], signal);
        };
    }

    std::map<std::string, pid_t> pids_;
};

TEST_F(PodRestarts, ANeverReadyServiceFailsThePodAtOnce) {
    const auto end = run({listener("web", {"--print", "no CUDA", "--exit", "3"})});
    EXPECT_EQ(end.cause, PodEnd::Cause::failed);
    EXPECT_THAT(end.message, HasSubstr("service web ended with exit code 3 before it was ready"));
    EXPECT_THAT(end.message, HasSubstr("no CUDA"));
    EXPECT_THAT(end.hint, HasSubstr("web.log"));
    EXPECT_THAT(started(), SizeIs(1));
}

TEST_F(PodRestarts, AnExitOfZeroBeforeReadinessFailsToo) {
    EXPECT_THAT(run({listener("web", {"--exit", "0"})}).message,
                HasSubstr("ended with exit code 0 before it was ready"));
}

TEST_F(PodRestarts, OnlyTheLastLinesAreInTheMessage) {
    const auto message = run({listener("web", {"--lines", "50", "--exit", "3"})}).message;
    EXPECT_THAT(message, HasSubstr("line 49"));
    EXPECT_THAT(message, HasSubstr("line 30\n"));
    EXPECT_THAT(message, Not(HasSubstr("line 29\n")));
}

TEST_F(PodRestarts, ACrashedServiceIsStartedAgain) {
    signal_when_ready(SIGKILL, 1);
    start({listener("web")});
    events_.wait_for<event::ServiceReady>(2);
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
    const auto restarts = events_.all<event::ServiceRestarting>();
    ASSERT_THAT(restarts, SizeIs(1));
    EXPECT_EQ(restarts[0].attempt, 2);
    EXPECT_EQ(restarts[0].wait, 1ms);
    EXPECT_THAT(restarts[0].reason, HasSubstr("killed by SIGKILL"));
    EXPECT_EQ(events_.all<event::ServiceExited>()[0].signal, SIGKILL);
}

TEST_F(PodRestarts, EndAfterFailuresInARowWithLongerAndLongerWaits) {
    signal_when_ready(SIGKILL, 100);
    const auto end = run({listener("web")});
    EXPECT_EQ(end.cause, PodEnd::Cause::failed);
    EXPECT_THAT(end.message, HasSubstr("was killed by SIGKILL, and has failed 5 times in a row"));
    EXPECT_THAT(end.hint, HasSubstr("memory ran out"));
    EXPECT_THAT(started(), SizeIs(5));
    std::vector<std::chrono::milliseconds> waits;
    for (const auto& restart : events_.all<event::ServiceRestarting>())
        waits.push_back(restart.wait);
    EXPECT_THAT(waits, ElementsAre(1ms, 2ms, 4ms, 4ms));
}

TEST_F(PodRestarts, StartTheirRowAnewAfterAHealthyRun) {
    options_.back_off.healthy = 0ms;
    signal_when_ready(SIGKILL, 8);
    start({listener("web")});
    events_.wait_for<event::ServiceReady>(9);
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
    std::vector<int> attempts;
    for (const auto& restart : events_.all<event::ServiceRestarting>())
        attempts.push_back(restart.attempt);
    EXPECT_THAT(attempts, Each(2));
}

TEST_F(PodRestarts, DoNotHappenForAServiceThatEndsWell) {
    EXPECT_EQ(run({stand_in("task", {"--exit", "0"})}).cause, PodEnd::Cause::finished);
    EXPECT_THAT(started(), SizeIs(1));
}

TEST_F(PodRestarts, HappenAlwaysWhenThatIsAsked) {
    auto task = stand_in("task", {"--exit", "0"});
    task.restart = tmpl::Restart::always;
    start({task});
    events_.wait_for<event::ServiceStarted>(8);  // more often than a failure would be tried
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
}

TEST_F(PodRestarts, NeverHappenWhenThatIsAsked) {
    auto task = stand_in("task", {"--exit", "3"});
    task.restart = tmpl::Restart::never;
    const auto end = run({task, stand_in("other")});
    EXPECT_EQ(end.cause, PodEnd::Cause::failed);
    EXPECT_EQ(end.message, "service task ended with exit code 3");
}

TEST_F(PodRestarts, FollowARebootMarkerWithoutCountingAsFailure) {
    const auto marker = dir_ / "session.reboot";
    auto comfyui = listener("comfyui", {"--marker", marker.string()});
    comfyui.reboot_marker = marker;
    options_.back_off.give_up_after = 1;
    options_.back_off.first = 1h;
    signal_when_ready(SIGUSR1, 2);
    start({comfyui});
    events_.wait_for<event::ServiceReady>(3);
    EXPECT_FALSE(std::filesystem::exists(marker));
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
    EXPECT_EQ(events_.all<event::ServiceRestarting>()[0].wait, 0ms);
}

TEST_F(PodRestarts, DoNotFollowAMarkerOfAnEarlierPod) {
    const auto marker = dir_ / "session.reboot";
    write_file_atomically(marker, "");
    auto comfyui = listener("comfyui", {"--exit", "1"});
    comfyui.reboot_marker = marker;
    EXPECT_EQ(run({comfyui}).cause, PodEnd::Cause::failed);
    EXPECT_THAT(started(), SizeIs(1));
}

TEST_F(PodRestarts, AreNotTriedForAProgramThatDoesNotExist) {
    ServiceSpec spec{
        .name = "web", .command = {.argv = {"/no/such/program"}}, .after = {}, .ready = {}};
    const auto end = run({stand_in("other"), spec});
    EXPECT_EQ(end.cause, PodEnd::Cause::failed);
    EXPECT_THAT(end.message, HasSubstr("service web cannot be started: /no/such/program"));
}

TEST_F(PodRestarts, NeverStartWhatComesAfterAFailedService) {
    auto after = stand_in("after");
    after.after = {"bad"};
    EXPECT_EQ(run({listener("bad", {"--exit", "3"}), after}).cause, PodEnd::Cause::failed);
    EXPECT_THAT(started(), ElementsAre("bad"));
}

TEST_F(PodRestarts, OfACircleAreRefused) {
    auto a = stand_in("a");
    a.after = {"b"};
    auto b = stand_in("b");
    b.after = {"a"};
    EXPECT_THROW(run({a, b}), Error);
    EXPECT_THAT(started(), SizeIs(0));
}

}  // namespace
}  // namespace podctl::serve

#include "podctl/base/process_stat.hpp"

#include "pod_fixture.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

namespace podctl::serve {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

class PodStop : public PodTest {};

TEST_F(PodStop, EndsTheServicesInReverseOrder) {
    auto b = listener("b"), c = listener("c");
    b.after = {"a"};
    c.after = {"b"};
    start({listener("a"), b, c});
    events_.wait_for<event::ServiceReady>(3);
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
    EXPECT_THAT(exited(), ElementsAre("c", "b", "a"));
    EXPECT_EQ(events_.all<event::ServiceExited>()[0].signal, SIGTERM);
}

TEST_F(PodStop, KillsAServiceThatIgnoresTermAfterTheGrace) {
    options_.grace = 50ms;
    start({listener("stubborn", {"--ignore-term", "1"})});
    events_.wait_for<event::ServiceReady>();
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
    EXPECT_EQ(events_.all<event::ServiceExited>()[0].signal, SIGKILL);
}

// Whoever stops the container kills podctl itself before long.
TEST_F(PodStop, HasOneGraceForServicesThatEndAfterEachOther) {
    options_.grace = 3s;
    auto second = listener("second", {"--ignore-term", "1"});
    second.after = {"first"};
    start({listener("first", {"--ignore-term", "1"}), second});
    events_.wait_for<event::ServiceReady>(2);
    const auto asked = std::chrono::steady_clock::now();
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
    EXPECT_LT(std::chrono::steady_clock::now() - asked, 2 * options_.grace - 500ms);
    EXPECT_THAT(exited(), ElementsAre("second", "first"));
}

TEST_F(PodStop, KillsAGrandchildThatIgnoresTerm) {
    options_.grace = 50ms;
    start({listener("web", {"--grandchild", (dir_ / "pid").string()})});
    events_.wait_for<event::ServiceReady>();
    ASSERT_TRUE(read_process(pid_in("pid")));
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
    EXPECT_FALSE(read_process(pid_in("pid")));
}

TEST_F(PodStop, LeavesNoGrandchildOfAServiceThatEndsByItself) {
    const auto end =
        run({stand_in("task", {"--grandchild", (dir_ / "pid").string(), "--exit", "0"})});
    EXPECT_EQ(end.cause, PodEnd::Cause::finished);
    EXPECT_FALSE(read_process(pid_in("pid")));
}

TEST_F(PodStop, IsSeenByAServiceThatIsStopped) {
    start({listener("web")});
    const auto pid = events_.wait_for<event::ServiceStarted>().pid;
    events_.wait_for<event::ServiceReady>();
    ::kill(pid, SIGSTOP);
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
    EXPECT_EQ(events_.all<event::ServiceExited>()[0].signal, SIGTERM);
}

TEST_F(PodStop, EndsAServiceThatIsStillStarting) {
    start({listener("slow", {"--late", "3600000"})});
    events_.wait_for<event::ServiceStarted>();
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
    EXPECT_THAT(exited(), ElementsAre("slow"));
}

TEST_F(PodStop, DoesNotWaitForARestart) {
    options_.back_off.first = 1h;
    options_.back_off.longest = 1h;
    start({stand_in("task", {"--exit", "3"})});
    events_.wait_for<event::ServiceRestarting>();
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
}

TEST_F(PodStop, BeforeTheStartStartsNothing) {
    stop_.request_stop();
    EXPECT_EQ(run({stand_in("web")}).cause, PodEnd::Cause::stopped);
    EXPECT_TRUE(started().empty());
}

TEST_F(PodStop, OfAFailedPodEndsTheOthersGracefully) {
    auto bad = listener("bad", {"--exit", "3"});
    bad.after = {"good"};
    EXPECT_EQ(run({listener("good"), bad}).cause, PodEnd::Cause::failed);
    EXPECT_THAT(exited(), ElementsAre("bad", "good"));
    EXPECT_EQ(events_.all<event::ServiceExited>()[1].signal, SIGTERM);
}

TEST_F(PodStop, OfAPodWithoutServicesIsAtOnce) {
    int told = 0;
    on_ready_ = [&] { ++told; };
    EXPECT_EQ(run({}).cause, PodEnd::Cause::finished);
    EXPECT_EQ(told, 1);
}

TEST_F(PodStop, DoesNotStartAgainWhatOthersStillNeed) {
    options_.grace = 200ms;
    options_.back_off.first = options_.back_off.longest = 20ms;
    options_.back_off.give_up_after = 1000;
    auto stubborn = stand_in("stubborn", {"--ignore-term", "1"});
    stubborn.after = {"task"};
    start({stand_in("task", {"--exit", "3"}), stubborn});
    events_.wait_for<event::ServiceStarted>(
        [](const event::ServiceStarted& started) { return started.service == "stubborn"; });
    stop_.request_stop();
    const auto tasks = [this] { return std::ranges::count(started(), "task"); };
    const auto before = tasks();
    EXPECT_EQ(end().cause, PodEnd::Cause::stopped);
    EXPECT_LE(tasks(), before + 1);  // one may have been on its way
}

// As PID 1 does: what a service left behind in another session becomes this process's child.
TEST_F(PodStop, FindsOrphansReapedAndServicesNotRobbedOfTheirStatus) {
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    auto task = stand_in("task", {"--orphan", (dir_ / "pid").string(), "--exit", "3"});
    task.restart = tmpl::Restart::never;
    const auto end = run({task});
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
    EXPECT_EQ(end.message, "service task ended with exit code 3");
    siginfo_t info{};
    EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(pid_in("pid")), &info, WEXITED | WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
}

}  // namespace
}  // namespace podctl::serve

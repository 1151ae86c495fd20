#include "control_fixture.hpp"
#include "support/error_of.hpp"

#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace podctl::serve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Phase = PodStatus::Phase;

TEST_F(Control, WithoutAPodThereIsNoStatusAndNothingToRestartOrEnd) {
    EXPECT_FALSE(status());
    EXPECT_FALSE(restart(""));
    EXPECT_FALSE(ask_to_end(dir_.path(), Urgency::graceful, {}));
    EXPECT_FALSE(watch_pod(dir_ / "no-such-folder", {}));
}

TEST_F(Control, TellsTheStepsOfAProvisioning) {
    serve();
    control_.emit(event::RunStarted{"pod.yaml", "/root", "1"});
    control_.emit(event::StepStarted{"python.install"});
    control_.emit(event::StepStarted{"model:a"});
    control_.emit(event::StepProgress{"model:a", 10, 40, "bytes"});
    control_.emit(event::StepStarted{"model:b"});
    control_.emit(event::StepFinished{"model:b"});
    const auto pod = status();
    ASSERT_TRUE(pod);
    EXPECT_EQ(pod->phase, Phase::provisioning);
    EXPECT_EQ(pod->pid, ::getpid());
    EXPECT_EQ(pod->template_path, "pod.yaml");
    ASSERT_THAT(pod->steps, SizeIs(3));
    EXPECT_EQ(pod->steps[0].step, "python.install");
    EXPECT_FALSE(pod->steps[0].progress);
    EXPECT_EQ(pod->steps[1].progress.value().done, 10u);
    EXPECT_EQ(pod->steps[1].progress.value().total, 40u);
    EXPECT_EQ(pod->steps[1].progress.value().unit, "bytes");
    EXPECT_EQ(pod->steps[2].step, "model:b");
    EXPECT_EQ(pod->steps[2].state, PodStep::State::done);
    EXPECT_THAT(test::error_of([&] { restart("web"); }).message(), HasSubstr("provisioned"));
}

TEST_F(Control, NamesThePacksThatComfyUiCouldNotImportInItsRunThatIsOn) {
    serve();
    control_.emit(event::ServiceStarted{std::string{comfyui_service}, 1});
    control_.emit(event::NodeFailed{"broken", "No module named 'x'"});
    EXPECT_THAT(status()->failed_nodes, ElementsAre(FailedNode{"broken", "No module named 'x'"}));
    control_.emit(event::ServiceStarted{"other", 2});
    EXPECT_THAT(status()->failed_nodes, SizeIs(1));
    control_.emit(event::ServiceStarted{std::string{comfyui_service}, 3});
    EXPECT_THAT(status()->failed_nodes, SizeIs(0));
}

TEST_F(Control, TellsTheServicesOfAPod) {
    serve();
    const auto web = listener("web");
    auto slow = listener("slow", {"--late", "3600000"});
    slow.after = {"web"};
    control_.emit(event::Launching{});
    start({web, slow, stand_in("task", {"--exit", "0"})});
    const auto pod = status_when([](const PodStatus& it) {
        return std::ranges::any_of(it.services, [](const RunningService& service) {
            return service.name == "slow" && service.state == ServiceState::starting;
        });
    });
    EXPECT_EQ(pod.phase, Phase::starting);
    ASSERT_THAT(pod.services, SizeIs(3));
    for (const auto& service : pod.services) {
        if (service.name != "web") continue;
        EXPECT_EQ(service.state, ServiceState::ready);
        EXPECT_EQ(service.port, web.ready.port);
        EXPECT_EQ(service.url, web.ready.url);
        EXPECT_EQ(service.starts, 1);
        EXPECT_EQ(service.last_exit, "");
        EXPECT_GT(service.pid, 0);
        EXPECT_LE(std::chrono::system_clock::now() - service.started, 1min);
    }
}

TEST_F(Control, SaysReadyOnceAllAreAndEndingOnceItEnds) {
    serve();
    options_.grace = 1h;
    start_and_wait({listener("web", {"--ignore-term", "1"})});
    EXPECT_EQ(status()->phase, Phase::ready);
    const auto pid = last_started();
    stop_.request_stop();
    EXPECT_EQ(status()->phase, Phase::ending);
    EXPECT_THAT(test::error_of([&] { restart("web"); }).message(), HasSubstr("ending"));
    ::kill(pid, SIGKILL);
    EXPECT_EQ(end().cause, PodEnd::Cause::stopped);
}

TEST_F(Control, RestartsOneServiceAndWaitsUntilItIsReady) {
    serve();
    options_.back_off.give_up_after = 1;  // a failure would end the pod
    start_and_wait({listener("web", {"--late", "100"}), listener("other")});
    const auto before = status()->services;
    const auto restarted = restart("web");
    ASSERT_TRUE(restarted);
    ASSERT_THAT(*restarted, SizeIs(1));
    EXPECT_EQ(restarted->front().state, ServiceState::ready);
    EXPECT_EQ(restarted->front().starts, 2);
    EXPECT_EQ(restarted->front().last_exit, "killed by SIGTERM");
    EXPECT_NE(restarted->front().pid, before[0].pid);
    EXPECT_EQ(status()->services[1], before[1]);
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
}

TEST_F(Control, RestartKillsWhatIgnoresTermAfterTheGrace) {
    serve();
    options_.grace = 50ms;
    start_and_wait({listener("web", {"--ignore-term", "1"})});
    EXPECT_EQ(restart("web")->front().last_exit, "killed by SIGKILL");
}

TEST_F(Control, RestartsAllInTheOrderOfAfter) {
    serve();
    auto b = listener("b", {"--late", "50"}), c = listener("c");
    b.after = {"a"};
    c.after = {"b"};
    start_and_wait({listener("a", {"--late", "50"}), b, c});
    EXPECT_THAT(*restart(""), SizeIs(3));
    EXPECT_THAT(exited(), ElementsAre("c", "b", "a"));
    EXPECT_THAT(started(), ElementsAre("a", "b", "c", "a", "b", "c"));
    EXPECT_THAT(events_.all<event::ServiceReady>(), SizeIs(6));
}

TEST_F(Control, RestartStartsWhatHasEndedAndWhatWaitsForItsNextTry) {
    serve();
    options_.back_off.first = options_.back_off.longest = 1h;
    start_and_wait({listener("web"), stand_in("done", {"--exit", "0"}),
                    stand_in("crashed", by_run("--fail-in", "1"))});
    events_.wait_for<event::ServiceRestarting>();
    EXPECT_EQ(restart("done")->front().starts, 2);
    EXPECT_EQ(restart("crashed")->front().starts, 2);
}

TEST_F(Control, RestartForgivesEarlierFailures) {
    serve();
    options_.back_off.give_up_after = 3;
    start_and_wait({listener("web")});
    const auto crash = [&](std::size_t number) {
        ::kill(last_started(), SIGKILL);
        events_.wait_for<event::ServiceReady>(number);
    };
    crash(2);
    crash(3);
    restart("web");  // the fourth
    crash(5);
    crash(6);
    EXPECT_EQ(stop().cause, PodEnd::Cause::stopped);
}

TEST_F(Control, RestartOfAnUnknownServiceIsAUsageErrorThatSaysWhichWasMeant) {
    serve();
    start_and_wait({listener("photomaker")});
    const auto error = test::error_of([&] { restart("fotomaker"); });
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.hint(), HasSubstr("photomaker"));
}

TEST_F(Control, RestartOfWhatIsNotReadyInTimeSaysSo) {
    serve();
    auto web = listener("web", by_run("--late-from", "2"));
    start_and_wait({web});
    const auto error = test::error_of([&] { restart_services(dir_.path(), "web", 200ms, {}); });
    EXPECT_EQ(error.kind(), ErrorKind::launch);
    EXPECT_THAT(error.message(), HasSubstr("web is not ready again within 200ms"));
}

TEST_F(Control, RestartIsToldWhyThePodHasFailedMeanwhile) {
    serve();
    options_.back_off.give_up_after = 1;
    auto web = listener("web", by_run("--fail-in", "2"));
    start_and_wait({web});
    auto asked = std::async(std::launch::async,
                            [&] { return test::error_of([&] { restart("web"); }).message(); });
    const auto failed = end();
    control_.emit(event::LaunchFailed{failed.message, ""});
    server_.reset();
    EXPECT_THAT(asked.get(), HasSubstr("service web ended with exit code 3"));
}

TEST_F(Control, EndsThePodOnceAndAtOnceWhenThatIsAsked) {
    serve();
    options_.grace = 1h;
    start_and_wait({listener("web", {"--ignore-term", "1"})});
    const auto pid = last_started();
    EXPECT_TRUE(ask_to_end(dir_.path(), Urgency::graceful, {}));
    EXPECT_TRUE(ask_to_end(dir_.path(), Urgency::graceful, {}));
    EXPECT_EQ(ends_, 1);
    EXPECT_TRUE(ask_to_end(dir_.path(), Urgency::at_once, {}));
    EXPECT_EQ(ends_, 2);
    ::kill(pid, SIGKILL);
    EXPECT_EQ(end().cause, PodEnd::Cause::stopped);
}

TEST_F(Control, AWatcherSeesTheEnd) {
    serve();
    const Fd pod = watch_pod(dir_.path(), {});
    ASSERT_TRUE(pod);
    const auto now = std::chrono::steady_clock::now();
    EXPECT_FALSE(wait_until_ready({.fd = pod.get()}, now + 20ms, {}));
    server_.reset();
    EXPECT_TRUE(wait_until_ready({.fd = pod.get()}, now + 60s, {}));
    EXPECT_FALSE(watch_pod(dir_.path(), {}));
}

TEST_F(Control, AClientIsStoppedInItsWait) {
    serve();
    start_and_wait({listener("web", by_run("--late-from", "2"))});
    std::stop_source stop;
    auto asked = std::async(std::launch::async, [&] {
        return test::error_of(
                   [&] { restart_services(dir_.path(), "web", std::nullopt, stop.get_token()); })
            .kind();
    });
    events_.wait_for<event::ServiceRestarting>();
    stop.request_stop();
    EXPECT_EQ(asked.get(), ErrorKind::interrupted);
}

}  // namespace
}  // namespace podctl::serve

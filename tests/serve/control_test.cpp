#include "podctl/serve/control.hpp"

#include "podctl/base/fd.hpp"

#include "control_address.hpp"
#include "pod_fixture.hpp"
#include "support/error_of.hpp"

#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>

namespace podctl::serve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;
using Phase = PodStatus::Phase;

// A pod with a control socket in dir_, as `up` has one.
class Control : public PodTest {
protected:
    Control() { options_.control = &control_; }
    ~Control() override {
        stop_.request_stop();
        if (end_.valid()) end_.wait();
    }

    void serve() {
        server_ = std::make_unique<ControlServer>(dir_.path(), control_, [this] {
            ++ends_;
            stop_.request_stop();
        });
    }
    std::optional<PodStatus> status() const {
        return find_pod_status(dir_.path(), options_.pids, {});
    }
    std::optional<std::vector<RunningService>> restart(const std::string& service) const {
        return restart_services(dir_.path(), service, 60s, {});
    }
    // Until all are ready.
    void start_and_wait(const std::vector<ServiceSpec>& services) {
        on_ready_ = [this] { control_.emit(event::Launched{}); };
        control_.emit(event::Launching{});
        start(services);
        events_.wait_for<event::Launched>();
    }

    // Once it fits: what an event tells is in the status a moment later.
    PodStatus status_when(const std::function<bool(const PodStatus&)>& fits) const {
        const auto until = std::chrono::steady_clock::now() + 60s;
        while (std::chrono::steady_clock::now() < until) {
            auto pod = status();
            if (pod && fits(*pod)) return *pod;
        }
        throw std::runtime_error("that status did not come within a minute");
    }
    pid_t last_started() const { return events_.all<event::ServiceStarted>().back().pid; }
    // Arguments of a stand-in that differs from run to run.
    std::vector<std::string> by_run(const std::string& option, const std::string& run) const {
        return {"--count", (dir_ / "runs").string(), option, run};
    }

    // A client that does as it likes.
    Fd connect() const {
        Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        const Fd folder = open_folder(dir_.path());
        const auto address = in_folder(folder.get());
        EXPECT_EQ(::connect(socket.get(), address.generic(), address.size), 0);
        return socket;
    }
    static void send(const Fd& socket, std::string_view text) {
        ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
    }
    // Everything until the server closes.
    static std::string read_all(const Fd& socket) {
        std::string all;
        char block[4096];
        while (true) {
            pollfd ready{socket.get(), POLLIN, 0};
            if (::poll(&ready, 1, 60'000) <= 0) throw std::runtime_error("never closed");
            const auto got = ::recv(socket.get(), block, sizeof block, 0);
            if (got <= 0) return all;
            all.append(block, static_cast<std::size_t>(got));
        }
    }

    PodControl control_{events_, stop_.get_token()};
    std::atomic<int> ends_ = 0;
    std::unique_ptr<ControlServer> server_;
};

TEST_F(Control, WithoutAPodThereIsNoStatusAndNothingToRestartOrEnd) {
    EXPECT_FALSE(status());
    EXPECT_FALSE(restart(""));
    EXPECT_FALSE(ask_to_end(dir_.path(), Urgency::graceful, {}));
    EXPECT_FALSE(watch_pod(dir_ / "no-such-folder", {}));
}

TEST_F(Control, TellsTheStepsOfAProvisioningThatRun) {
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
    ASSERT_THAT(pod->steps, SizeIs(2));
    EXPECT_EQ(pod->steps[0].step, "python.install");
    EXPECT_EQ(pod->steps[1].done, 10u);
    EXPECT_EQ(pod->steps[1].total, 40u);
    EXPECT_EQ(pod->steps[1].unit, "bytes");
    EXPECT_THAT(test::error_of([&] { restart("web"); }).message(), HasSubstr("provisioned"));
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

TEST_F(Control, ClientsThatMisbehaveDisturbNobody) {
    serve();
    start_and_wait({listener("web")});
    std::vector<Fd> silent;
    for (int i = 0; i < 40; ++i)
        silent.push_back(connect());
    const Fd garbage = connect(), endless = connect(), unknown = connect(), wrong_type = connect();
    send(garbage, "GET / HTTP/1.1\r\n\r\n");
    EXPECT_THAT(read_all(garbage), HasSubstr("\"ok\":false"));
    send(endless, std::string(1u << 20, '{'));
    EXPECT_THAT(read_all(endless), IsEmpty());
    send(unknown, "{\"command\": \"format\"}\n");
    EXPECT_THAT(read_all(unknown), HasSubstr("no request"));
    send(wrong_type, "{\"command\": 7, \"service\": []}\n");
    EXPECT_THAT(read_all(wrong_type), HasSubstr("no request"));
    const Fd gone = connect();
    send(gone, "{\"command\": \"restart\", \"service\": \"web\"");
    EXPECT_EQ(status()->phase, Phase::ready);
    for (const auto& client : silent)
        EXPECT_THAT(read_all(client), IsEmpty());  // until their time is over
    EXPECT_EQ(status()->services[0].starts, 1);
}

TEST_F(Control, AClientThatOnlyStopsSendingGetsItsAnswer) {
    serve();
    const Fd client = connect();
    send(client, "{\"command\":\"status\"}\n");
    ::shutdown(client.get(), SHUT_WR);
    EXPECT_THAT(read_all(client), HasSubstr("\"phase\":\"provisioning\""));
}

TEST_F(Control, TheSocketIsForItsOwnerAloneAndGoesWithThePod) {
    const auto socket = dir_ / socket_name;
    const auto before = ::umask(0);
    serve();
    ::umask(before);
    struct stat found {};
    ASSERT_EQ(::stat(socket.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777u, 0600u);
    server_.reset();
    EXPECT_FALSE(std::filesystem::exists(socket));
}

TEST_F(Control, AnotherUserIsTurnedAway) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
    serve();
    ::chmod(dir_.path().c_str(), 0755);
    ::chmod((dir_ / socket_name).c_str(), 0777);
    // The system call is for this thread alone, where setuid(2) is for the process.
    auto asked = std::async(std::launch::async, [&] {
        EXPECT_EQ(::syscall(SYS_setresuid, -1, 65534, -1), 0);
        return find_pod_status(dir_.path(), dir_ / "none", {});
    });
    EXPECT_FALSE(asked.get());
    EXPECT_TRUE(status());
}

TEST_F(Control, ARestartOutlastsTheSilenceOfAServerThatLives) {
    serve();
    start_and_wait({listener("web", by_run("--late-from", "2"))});
    const auto error =
        test::error_of([&] { restart_services(dir_.path(), "web", 300ms, {}, 50ms); });
    EXPECT_THAT(error.message(), HasSubstr("web is not ready again within 300ms"));
}

TEST_F(Control, AStaleSocketIsReplaced) {
    const Fd folder = open_folder(dir_.path());
    const auto address = in_folder(folder.get());
    {
        const Fd killed{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        ASSERT_EQ(::bind(killed.get(), address.generic(), address.size), 0);
        ASSERT_EQ(::listen(killed.get(), 1), 0);
    }
    EXPECT_FALSE(status());
    serve();
    EXPECT_TRUE(status());
}

TEST_F(Control, IsReachedUnderALongPathToo) {
    const auto deep = dir_ / std::string(200, 'd');
    std::filesystem::create_directories(deep);
    const ControlServer server{deep, control_, [] {}};
    EXPECT_TRUE(find_pod_status(deep, deep / "pod.json", {}));
}

TEST_F(Control, OnAVolumeThatCannotHoldTheSocketItIsElsewhere) {
    write_file_atomically(dir_ / socket_name, "somebody's");
    serve();
    EXPECT_TRUE(status());
    EXPECT_EQ(read_file(dir_ / socket_name), "somebody's");
    EXPECT_TRUE(std::filesystem::exists(dir_ / address_name));
    server_.reset();
    EXPECT_FALSE(std::filesystem::exists(dir_ / address_name));
    EXPECT_FALSE(status());
}

TEST_F(Control, APodThatCannotBeServedRunsWithout) {
    write_file_atomically(dir_ / "file", "");
    const ControlServer server{dir_ / "file/state", control_, [] {}};
    EXPECT_THAT(events_.wait_for<event::Notice>().message, HasSubstr("podctl down"));
}

TEST_F(Control, WhatAKilledPodctlLeftBehindIsTold) {
    start_and_wait({listener("web")});
    auto json = nlohmann::json::parse(read_file(dir_ / "pod.json"));
    json["podctl"]["start_time"] = 1;
    write_file_atomically(dir_ / "left.json", json.dump());
    const auto pod = find_pod_status(dir_.path(), dir_ / "left.json", {});
    ASSERT_TRUE(pod);
    EXPECT_EQ(pod->phase, Phase::left_behind);
    EXPECT_EQ(pod->pid, 0);
    EXPECT_EQ(pod->services[0].name, "web");
}

}  // namespace
}  // namespace podctl::serve

#include "control_fixture.hpp"
#include "support/error_of.hpp"

#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <thread>

namespace podctl::serve {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Phase = PodStatus::Phase;

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

// As one that stays for its container does.
TEST_F(Control, OfAFailedPodIsReleasedForTheNextUp) {
    release_failed_pod(dir_.path(), {});  // nobody is there
    serve();
    control_.emit(event::RunFinished{.ok = false, .exit_code = 4});
    EXPECT_EQ(status()->phase, PodStatus::Phase::failed);
    EXPECT_FALSE(watch_pod(dir_.path(), {}));
    EXPECT_EQ(test::error_of([&] { restart(""); }).message(),
              "the pod has failed: nothing of it runs");
    std::jthread staying{[&] {
        const WakeUp woken{"test"};
        const std::stop_callback on_stop{stop_.get_token(), [&] { woken.wake(); }};
        std::array awaited{Awaited{.fd = woken.fd()}};
        wait_for_any(awaited);
        server_.reset();
    }};
    release_failed_pod(dir_.path(), {});
    // The next one's socket is not taken away by the end of this one.
    test::RecordingSink events;
    PodControl next{events};
    const ControlServer server{dir_.path(), next, [] {}};
    staying.join();
    EXPECT_EQ(status()->phase, PodStatus::Phase::provisioning);
}

}  // namespace
}  // namespace podctl::serve

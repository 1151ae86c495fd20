#include "podctl/base/file.hpp"
#include "podctl/base/process.hpp"
#include "podctl/base/process_stat.hpp"
#include "podctl/serve/serve.hpp"

#include "pod_record.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>

namespace podctl::serve {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A service that knows no mark, so that pod.json alone can tell of it.
class WhatIsLeft : public testing::Test {
protected:
    // As a podctl that was killed has recorded it, changed by `change`.
    void record(const std::function<void(json&)>& change = {}) const {
        std::string text;
        {
            PodRecord written{pids_};
            written.update({{"web", service_.pid(), 0, "", ServiceState::ready}});
            text = read_file(pids_);
        }
        auto record = json::parse(text);
        record["podctl"]["start_time"] = 1;
        if (change) change(record);
        write_file_atomically(pids_, record.dump());
    }
    std::vector<std::string> end() {
        return end_left_behind(dir_ / "state", pids_, LeftBehind::all, std::chrono::seconds{30},
                               [this](const std::string& text) { notices_.push_back(text); });
    }

    test::TempDir dir_;
    std::filesystem::path pids_ = dir_ / "pod.json";
    Child service_ = spawn({.argv = {"sleep", "1000"}});
    std::vector<std::string> notices_;
};

TEST_F(WhatIsLeft, IsEndedWhenItIsRecorded) {
    record();
    EXPECT_THAT(end(), ElementsAre("web"));
    EXPECT_EQ(service_.wait().signal, SIGTERM);
    EXPECT_THAT(notices_, IsEmpty());
}

TEST_F(WhatIsLeft, IsAskedToEndAlsoWhenItIsStopped) {
    record();
    ::kill(service_.pid(), SIGSTOP);
    EXPECT_THAT(end(), ElementsAre("web"));
    EXPECT_EQ(service_.wait().signal, SIGTERM);
}

TEST_F(WhatIsLeft, IsLeftAloneWhenTheRecordIsOfAnotherProcess) {
    for (const std::string field : {"start_time", "session"}) {
        record([&](json& record) {
            auto& value = record["services"][0][field];
            value = value.get<long>() + 1;
        });
        EXPECT_THAT(end(), IsEmpty()) << field;
    }
    record([](json& record) { record["services"][0].erase("session"); });
    EXPECT_THAT(end(), IsEmpty());
    record([](json& record) { record["boot"] = "another one"; });
    EXPECT_THAT(end(), IsEmpty());
    EXPECT_FALSE(service_.poll());
}

TEST_F(WhatIsLeft, IsLeftAloneWhenOthersMayHaveWrittenTheRecord) {
    record();
    const auto change = [&](const std::function<void()>& change, const char* why) {
        notices_.clear();
        change();
        EXPECT_THAT(end(), IsEmpty()) << why;
        EXPECT_THAT(notices_, ElementsAre(HasSubstr(why)));
        std::filesystem::remove(pids_);
        record();
    };
    change([&] { ::chmod(pids_.c_str(), 0666); }, "can be written by others");
    change([&] { ::chmod(pids_.c_str(), 0602); }, "can be written by others");
    change([&] { std::filesystem::create_hard_link(pids_, dir_ / "other"); }, "has 2 names");
    change(
        [&] {
            std::filesystem::rename(pids_, dir_ / "moved");
            std::filesystem::create_symlink(dir_ / "moved", pids_);
        },
        "is a link");
    if (::geteuid() == 0)
        change([&] { EXPECT_EQ(::chown(pids_.c_str(), 65534, 65534), 0); }, "belongs to nobody");
    EXPECT_FALSE(service_.poll());
}

TEST_F(WhatIsLeft, IsTheWholeGroupOfItsLeader) {
    Child leader = spawn({.argv = {"sh", "-c", "env -i sleep 1000 & echo $!; exec sleep 1000"}});
    pollfd said{leader.output_fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&said, 1, 60'000), 1);
    char text[32] = {};
    ASSERT_GT(::read(leader.output_fd(), text, sizeof text - 1), 0);
    service_ = std::move(leader);
    record();
    EXPECT_THAT(end(), ElementsAre("web"));
    EXPECT_FALSE(read_process(std::stoi(text)));
}

TEST_F(WhatIsLeft, OfALeaderThatEndsItselfIsKilledTooWhenItIsDeaf) {
    Child leader =
        spawn({.argv = {"sh", "-c",
                        "env -i sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' & "
                        "exec sleep 1000"}});
    pollfd said{leader.output_fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&said, 1, 60'000), 1);
    char text[32] = {};
    ASSERT_GT(::read(leader.output_fd(), text, sizeof text - 1), 0);
    service_ = std::move(leader);
    record();
    EXPECT_THAT(
        end_left_behind(dir_ / "state", pids_, LeftBehind::all, std::chrono::milliseconds{100}, {}),
        SizeIs(1));
    EXPECT_FALSE(read_process(std::stoi(text)));
}

// A process may join every process group of its session, whoever's it is.
TEST_F(WhatIsLeft, IsNotTheGroupThatAForgedMarkHasJoined) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root may become another user";
    const auto state = dir_ / "state";
    std::filesystem::create_directory(state);
    std::filesystem::permissions(dir_.path(), std::filesystem::perms::all);
    const auto [name, value] = *child_mark(state).begin();
    const pid_t forger = ::fork();
    if (forger == 0) {
        ::setpgid(0, service_.pid());
        const auto variable = name + "=" + value;
        if (::setresuid(65534, 65534, 65534) != 0) ::_exit(1);
        ::execl("/usr/bin/env", "env", variable.c_str(), "sleep", "1000", nullptr);
        ::_exit(1);
    }
    // Until it has become sleep.
    while (read_file("/proc/" + std::to_string(forger) + "/comm") != "sleep\n")
        ASSERT_TRUE(read_process(forger));
    EXPECT_THAT(end(), IsEmpty());
    EXPECT_FALSE(service_.poll());
    EXPECT_TRUE(read_process(forger));
    ::kill(forger, SIGKILL);
    ::waitpid(forger, nullptr, 0);
}

}  // namespace
}  // namespace podctl::serve

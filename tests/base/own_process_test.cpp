#include "podctl/base/own_process.hpp"

#include "podctl/base/process.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace podctl {
namespace {

using ::testing::IsEmpty;

class Marked : public testing::Test {
protected:
    // A shell that runs until it is ended, once it has said a line.
    Child start(const std::string& script) const {
        Child child = spawn({.argv = {"sh", "-c", script}, .environment = child_mark(folder_)});
        pollfd said{child.output_fd(), POLLIN, 0};
        EXPECT_EQ(::poll(&said, 1, 60'000), 1);
        return child;
    }

    test::TempDir dir_;
    std::filesystem::path folder_ = dir_ / "state";
};

TEST_F(Marked, IsFoundWithItsGroupWhileItRuns) {
    {
        const Child child = start("echo started; sleep 1000");
        const auto found = find_marked(folder_);
        ASSERT_FALSE(found.empty());
        for (const auto& it : found)
            EXPECT_EQ(it.process.stat().group, child.pid());
        EXPECT_THAT(find_marked(dir_ / "other"), IsEmpty());
    }
    EXPECT_THAT(find_marked(folder_), IsEmpty());
}

TEST_F(Marked, IsFoundByEveryPathOfTheFolder) {
    std::filesystem::create_directory(folder_);
    std::filesystem::create_directory_symlink(folder_, dir_ / "link");
    const Child child = start("echo started; sleep 1000");
    EXPECT_FALSE(find_marked(dir_ / "link").empty());
}

TEST_F(Marked, WhatHasASessionOfItsOwnIsNotOurs) {
    const Child child = start("exec setsid -f sh -c 'echo $$; exec sleep 1000'");
    EXPECT_THAT(find_marked(folder_), IsEmpty());
    char pid[32] = {};
    ASSERT_GT(::read(child.output_fd(), pid, sizeof pid - 1), 0);
    EXPECT_EQ(::kill(std::atoi(pid), SIGKILL), 0);
}

TEST(OwnProcess, IsNeitherAnInitNorThisProcessNorOneThatStartedIt) {
    for (const pid_t pid : {-1, 0, 1, static_cast<int>(::getpid()), static_cast<int>(::getppid())})
        EXPECT_FALSE(OwnProcess::open(pid)) << pid;
}

TEST(OwnProcess, IsNotOneOfTheSameProcessGroup) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    EXPECT_FALSE(OwnProcess::open(child));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

TEST(OwnProcess, IsSignalledAndWaitedFor) {
    Child child = spawn({.argv = {"sleep", "1000"}});
    const auto process = OwnProcess::open(child.pid());
    ASSERT_TRUE(process);
    EXPECT_TRUE(process->runs());
    EXPECT_FALSE(process->wait_until(std::chrono::steady_clock::now()));
    process->signal(SIGTERM);
    EXPECT_TRUE(process->wait_until(std::chrono::steady_clock::now() + std::chrono::seconds{60}));
    EXPECT_FALSE(process->runs());
    EXPECT_EQ(child.wait().signal, SIGTERM);
    process->signal(SIGKILL);  // reaches nobody
    EXPECT_FALSE(OwnProcess::open(child.pid()));
}

// Some users of a process may be root's and others not: what a set-user-id program runs.
class OfAnotherUser : public testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "only root may become another user";
    }
    // In a group of its own.
    static pid_t start_as(uid_t real, uid_t effective, uid_t saved) {
        int ready[2];
        if (::pipe(ready) != 0) return 0;
        const pid_t child = ::fork();
        if (child == 0) {
            ::setpgid(0, 0);
            const bool changed = ::setresuid(real, effective, saved) == 0;
            static_cast<void>(!::write(ready[1], changed ? "y" : "n", 1));
            while (true)
                ::pause();
        }
        char changed = 0;
        EXPECT_EQ(::read(ready[0], &changed, 1), 1);
        EXPECT_EQ(changed, 'y');
        ::close(ready[0]);
        ::close(ready[1]);
        return child;
    }
    static void end(pid_t child) {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    }
};

TEST_F(OfAnotherUser, IsNotOurs) {
    constexpr uid_t other = 65534;
    const pid_t same = start_as(0, 0, 0);
    EXPECT_TRUE(OwnProcess::open(same));
    end(same);
    for (const auto& [real, effective, saved] :
         {std::tuple{other, other, other}, std::tuple{other, 0u, 0u}, std::tuple{0u, other, 0u},
          std::tuple{0u, 0u, other}}) {
        const pid_t child = start_as(real, effective, saved);
        EXPECT_FALSE(OwnProcess::open(child)) << real << " " << effective << " " << saved;
        end(child);
    }
}

}  // namespace
}  // namespace podctl

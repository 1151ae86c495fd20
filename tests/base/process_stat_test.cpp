#include "podctl/base/process_stat.hpp"

#include "podctl/base/process.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <poll.h>
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
        for (const auto& process : found)
            EXPECT_EQ(process.group, child.pid());
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

}  // namespace
}  // namespace podctl

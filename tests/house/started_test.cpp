#include "podctl/base/fd.hpp"
#include "podctl/base/process.hpp"

#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <string>

// A test ends what it has started, however it ends (tests/support/started.hpp).
namespace podctl {
namespace {

class WhatATestHasStarted : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Ends, WhatATestHasStarted,
                         testing::Values("Passes", "Fails", "Throws", "Dies"),
                         [](const auto& info) { return std::string{info.param}; });

TEST_P(WhatATestHasStarted, EndsWithIt) {
    const test::TempDir dir;
    const std::string fifo = dir / "fifo";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    const Fd life{::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    const auto end =
        run_captured({.argv = {PODCTL_LEAVES_ONE_RUNNING,
                               std::string{"--gtest_filter=Leaves.OneAnd"} + GetParam()},
                      .environment = {{"LIFE_LINE", fifo}}},
                     {});
    EXPECT_EQ(end.status.ok(), GetParam() == std::string{"Passes"}) << end.output;
    // Its last holder has gone.
    pollfd ended{life.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&ended, 1, 60'000), 1);
    EXPECT_TRUE(ended.revents & POLLHUP);
}

}  // namespace
}  // namespace podctl

// Tests that leave a process behind, each in another way, for tests/house/started_test.cpp. It has
// a session of its own, its parent is gone, and it holds the fifo $LIFE_LINE open.
#include "support/started.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace {

class Leaves : public testing::Test {
protected:
    Leaves() {
        EXPECT_EQ(std::system("exec 3>\"$LIFE_LINE\" && setsid -f sleep 1000 >/dev/null 2>&1"), 0);
    }
};

TEST_F(Leaves, OneAndPasses) {}

TEST_F(Leaves, OneAndFails) {
    ASSERT_TRUE(false);
}

TEST_F(Leaves, OneAndThrows) {
    throw std::runtime_error("thrown");
}

TEST_F(Leaves, OneAndDies) {
    std::raise(SIGKILL);
}

}  // namespace

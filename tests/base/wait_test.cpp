#include "podctl/base/wait.hpp"

#include "podctl/base/error.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace podctl {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Pipe {
    Pipe() {
        std::array<int, 2> ends{};
        if (::pipe(ends.data()) == 0) read = Fd{ends[0]}, write = Fd{ends[1]};
    }
    Fd read, write;
};

TEST(Wait, EndsWhenOneOfManyIsReady) {
    const Pipe silent, full;
    ASSERT_EQ(::write(full.write.get(), "x", 1), 1);
    std::array awaited{Awaited{.fd = silent.read.get()}, Awaited{.fd = -1},
                       Awaited{.fd = full.read.get()},
                       Awaited{.fd = full.write.get(), .until = Awaited::Until::writable}};
    EXPECT_TRUE(wait_for_any(awaited));
    EXPECT_FALSE(awaited[0].is_ready);
    EXPECT_FALSE(awaited[1].is_ready);
    EXPECT_TRUE(awaited[2].is_ready);
    EXPECT_TRUE(awaited[3].is_ready);
}

TEST(Wait, EndsAtTheDeadline) {
    const Pipe silent;
    std::array awaited{Awaited{.fd = silent.read.get(), .is_ready = true}};
    EXPECT_FALSE(wait_for_any(awaited, Clock::now()));
    EXPECT_FALSE(awaited[0].is_ready);
    const auto deadline = Clock::now() + 20ms;
    EXPECT_FALSE(wait_until_ready(awaited[0], deadline, {}));
    EXPECT_GE(Clock::now(), deadline);
}

TEST(Wait, TakesAClosedPipeForReady) {
    Pipe pipe;
    pipe.write = Fd{};
    EXPECT_TRUE(wait_until_ready({.fd = pipe.read.get()}, {}, {}));
}

TEST(Wait, EndsAtAStop) {
    const Pipe silent;
    std::stop_source stop;
    std::jthread stopper{[&] { stop.request_stop(); }};
    try {
        wait_until_ready({.fd = silent.read.get()}, {}, stop.get_token());
        ADD_FAILURE() << "it came to an end";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    }
}

TEST(WakeUp, IsReadableFromWakeToClear) {
    const WakeUp wake_up{"cannot wait"};
    const auto is_readable = [&] {
        std::array awaited{Awaited{.fd = wake_up.fd()}};
        return wait_for_any(awaited, Clock::now());
    };
    EXPECT_FALSE(is_readable());
    wake_up.clear();
    wake_up.wake();
    wake_up.wake();
    EXPECT_TRUE(is_readable());
    wake_up.clear();
    EXPECT_FALSE(is_readable());
}

TEST(WakeUp, EndsAWaitOfAnotherThread) {
    const WakeUp wake_up{"cannot wait"};
    std::jthread waker{[&] { wake_up.wake(); }};
    EXPECT_TRUE(wait_until_ready({.fd = wake_up.fd()}, {}, {}));
}

}  // namespace
}  // namespace podctl

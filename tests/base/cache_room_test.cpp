#include "podctl/base/cache_room.hpp"

#include <gtest/gtest.h>

namespace podctl {
namespace {

constexpr std::uint64_t GiB = 1u << 30;

FileIdentity file(std::uint64_t inode) {
    return {.device = 1, .inode = inode};
}

TEST(CacheRoom, IsHalfOfWhatIsAvailableAskedOnce) {
    int asked = 0;
    CacheRoom room{[&] {
        ++asked;
        return 10 * GiB;
    }};
    EXPECT_FALSE(room.take(file(1), 6 * GiB));
    EXPECT_TRUE(room.take(file(2), 3 * GiB));
    EXPECT_FALSE(room.take(file(3), 3 * GiB));
    EXPECT_TRUE(room.take(file(4), 2 * GiB));
    EXPECT_FALSE(room.take(file(5), 1));
    EXPECT_EQ(asked, 1);
}

// One that was downloaded is read ahead from memory.
TEST(CacheRoom, HoldsAFileOnce) {
    CacheRoom room{[] { return 10 * GiB; }};
    EXPECT_TRUE(room.take(file(1), 3 * GiB));
    EXPECT_TRUE(room.take(file(1), 3 * GiB));
    EXPECT_TRUE(room.take(file(1), 2 * GiB));
    EXPECT_TRUE(room.take(file(1), 4 * GiB));  // it has grown
    EXPECT_FALSE(room.take({.device = 2, .inode = 1}, 2 * GiB));
    EXPECT_TRUE(room.take({.device = 2, .inode = 1}, 1 * GiB));
    EXPECT_TRUE(room.take(file(1), 4 * GiB));
}

TEST(CacheRoom, IsNoneWhereNothingIsKnown) {
    CacheRoom room{[] { return std::uint64_t{0}; }};
    EXPECT_FALSE(room.take(file(1), 1));
}

}  // namespace
}  // namespace podctl

#include "podctl/machine/machine.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace podctl::machine {
namespace {

namespace fs = std::filesystem;

TEST(FileSystem, OfTheKernelItselfIsOfNoKindThatHoldsAVolume) {
    EXPECT_EQ(reach_of("/proc"), Reach::unknown);
    EXPECT_EQ(reach_of("/proc/no such thing"), Reach::unknown);
}

TEST(FileSystem, InMemoryIsThisMachines) {
    if (!fs::is_directory("/dev/shm")) GTEST_SKIP() << "no tmpfs here";
    EXPECT_EQ(reach_of("/dev/shm"), Reach::local);
}

TEST(FileSystem, IsMeasuredByFilesThatAreGoneAfterwards) {
    const test::TempDir dir;
    const auto took = time_of_new_file(dir.path());
    ASSERT_TRUE(took);
    EXPECT_GE(took->count(), 0);
    EXPECT_TRUE(fs::is_empty(dir.path()));
    EXPECT_EQ(time_of_new_file(dir / "no folder"), std::nullopt);
}

}  // namespace
}  // namespace podctl::machine

#include "owner_file.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace podctl::download {
namespace {

using namespace std::chrono_literals;

class Owner : public testing::Test {
protected:
    test::TempDir dir;
    const std::filesystem::path path = dir / "p.owner";
    const OwnerFile::Timing quick{.touch = 20ms, .patience = 400ms};
};

TEST_F(Owner, IsOneAtATimeAndLeavesNothing) {
    {
        const OwnerFile first(path, quick);
        EXPECT_EQ(test::error_of([&] { OwnerFile(path, quick); }).kind(), ErrorKind::locked);
        EXPECT_TRUE(first.is_ours());
    }
    EXPECT_FALSE(std::filesystem::exists(path));
    const OwnerFile second(path, quick);
    EXPECT_TRUE(second.is_ours());
}

TEST_F(Owner, TakesOverWhatAnotherMachineHasLeft) {
    write_file_atomically(path, "another-boot pid:[1] 1 1\n");
    const auto before = std::chrono::steady_clock::now();
    const OwnerFile taken(path, quick);
    EXPECT_GE(std::chrono::steady_clock::now() - before, quick.patience);
    EXPECT_NE(read_file(path), "another-boot pid:[1] 1 1\n");
}

TEST_F(Owner, TakesOverAtOnceFromAProcessOfThisMachineThatIsGone) {
    const pid_t child = ::fork();
    if (child == 0) {
        auto* never_freed = new OwnerFile(path, {.touch = 1h, .patience = 1h});
        ::_exit(never_freed->is_ours() ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(status, 0);
    ASSERT_TRUE(std::filesystem::exists(path));
    const OwnerFile taken(path, {.touch = 1h, .patience = 1h});  // it would wait for an hour
    EXPECT_TRUE(taken.is_ours());
}

TEST_F(Owner, WaitsNoLongerThanUntilAStop) {
    write_file_atomically(path, "another-boot pid:[1] 1 1\n");
    std::stop_source stop;
    stop.request_stop();
    const auto error =
        test::error_of([&] { OwnerFile(path, {.touch = 1h, .patience = 1h}, stop.get_token()); });
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
}

TEST_F(Owner, NoticesThatItWasTakenOver) {
    const OwnerFile owner(path, quick);
    write_file_atomically(path, "another-boot pid:[1] 1 1\n");
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (owner.is_ours() && std::chrono::steady_clock::now() < until)
        std::this_thread::yield();
    EXPECT_FALSE(owner.is_ours());
}

}  // namespace
}  // namespace podctl::download

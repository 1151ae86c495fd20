#include "podctl/run/lock.hpp"

#include "podctl/base/error.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

namespace podctl::run {
namespace {

TEST(RootLock, IsHeldByOneOnlyAndNamesTheHolder) {
    const test::TempDir dir;
    const RootLock held{dir / ".podctl/lock"};
    try {
        const RootLock second{dir / ".podctl/lock"};
        FAIL() << "held twice";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::locked);
        EXPECT_THAT(error.message(), ::testing::HasSubstr(std::to_string(::getpid())));
    }
}

TEST(RootLock, IsFreeAgainOnceItsHolderIsGone) {
    const test::TempDir dir;
    { const RootLock held{dir / "lock"}; }
    EXPECT_NO_THROW(RootLock{dir / "lock"});
}

}  // namespace
}  // namespace podctl::run

#include "partial_lease.hpp"

#include "podctl/base/file.hpp"
#include "podctl/download/download.hpp"

#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

namespace podctl::download {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class OfAPartial : public testing::Test {
protected:
    // Of another machine, which has died.
    void leave_behind(const std::string& name) const {
        write_file_atomically(dir / name,
                              "held 00000000000000000005\n"
                              "another-boot pid:[1] 1 1 1764000000 00 elsewhere\n");
    }
    Fd open_file() const { return Fd{::open(partial.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)}; }
    bool leaves_nothing() const { return std::filesystem::is_empty(dir.path()); }

    test::TempDir dir;
    const std::filesystem::path partial = dir / "p.part";
    const Lease::Timing quick{.heartbeat = 20ms, .patience = 1s};
    const Lease::Timing endless{.heartbeat = 1h, .patience = 24h};
};

TEST_F(OfAPartial, IsOneAtATimeAndLeavesNothing) {
    {
        PartialLease first(partial, quick, {});
        const auto error = test::error_of([&] { PartialLease(partial, quick, {}); });
        EXPECT_EQ(error.kind(), ErrorKind::locked);
        EXPECT_THAT(error.message(), HasSubstr("(pid " + std::to_string(::getpid()) + " on "));
        EXPECT_NO_THROW(first.check());
        EXPECT_NO_THROW(first.confirm());
    }
    EXPECT_TRUE(leaves_nothing());
    PartialLease second(partial, quick, {});
    EXPECT_NO_THROW(second.confirm());
}

TEST_F(OfAPartial, TakesOverWhatAnotherMachineHasLeft) {
    leave_behind("p.part.lease.3");
    const auto before = std::chrono::steady_clock::now();
    {
        PartialLease taken(partial, quick, {});
        EXPECT_GE(std::chrono::steady_clock::now() - before, quick.patience);
        EXPECT_NO_THROW(taken.confirm());
    }
    EXPECT_TRUE(leaves_nothing());
}

TEST_F(OfAPartial, TakesOverAtOnceFromAProcessOfThisMachineThatIsGone) {
    const pid_t child = ::fork();
    if (child == 0) {
        const auto* never_freed = new PartialLease(partial, endless, {});
        ::_exit(never_freed != nullptr ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(status, 0);
    ASSERT_FALSE(leaves_nothing());
    PartialLease taken(partial, endless, {});  // it would wait for a day
    EXPECT_NO_THROW(taken.confirm());
}

TEST_F(OfAPartial, IsLockedWhereNobodyElseSeesIt) {
    const Fd file = open_file();
    const Fd another = open_file();
    EXPECT_EQ(hold_partial(file, partial, SeenBy::this_machine, {}), nullptr);
    const auto error =
        test::error_of([&] { hold_partial(another, partial, SeenBy::this_machine, {}); });
    EXPECT_EQ(error.kind(), ErrorKind::locked);
}

// MooseFS keeps flock(2)s of a client that is gone.
TEST_F(OfAPartial, IsNotKeptByTheLockOfAMachineThatHasDied) {
    const Fd of_the_dead = open_file();
    ASSERT_EQ(::flock(of_the_dead.get(), LOCK_EX | LOCK_NB), 0);
    const Fd file = open_file();
    const auto lease = hold_partial(file, partial, SeenBy::others_too, {});
    ASSERT_TRUE(lease);
    EXPECT_NO_THROW(lease->confirm());
}

TEST_F(OfAPartial, WaitsNoLongerThanUntilAStop) {
    leave_behind("p.part.lease.1");
    std::stop_source stop;
    stop.request_stop();
    const auto error = test::error_of([&] { PartialLease(partial, endless, stop.get_token()); });
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
}

TEST_F(OfAPartial, NoticesThatItWasTakenOver) {
    PartialLease lease(partial, endless, {});
    leave_behind("p.part.lease.2");
    EXPECT_EQ(test::error_of([&] { lease.confirm(); }).kind(), ErrorKind::locked);
    EXPECT_EQ(test::error_of([&] { lease.check(); }).kind(), ErrorKind::locked);
}

// As a volume does that was away.
TEST_F(OfAPartial, IsHadAgainWhenNobodyHadItMeanwhile) {
    // No heartbeat comes in time.
    PartialLease lease(partial, {.heartbeat = 1h, .patience = 40ms}, {});
    const auto generation_1 = dir / "p.part.lease.1";
    while (std::filesystem::exists(generation_1))
        EXPECT_NO_THROW(lease.check());
    EXPECT_NO_THROW(lease.check());
}

TEST_F(OfAPartial, GoesWithIt) {
    const auto leave_one = [&] {
        const pid_t child = ::fork();
        if (child == 0) {
            const auto* never_freed = new PartialLease(partial, endless, {});
            ::_exit(never_freed != nullptr ? 0 : 1);
        }
        ::waitpid(child, nullptr, 0);
        EXPECT_FALSE(leaves_nothing());
    };
    leave_one();
    forget(partial);
    EXPECT_TRUE(leaves_nothing());
    leave_one();
    write_file_atomically(partial, "bytes");
    discard(partial);
    EXPECT_TRUE(leaves_nothing());
}

}  // namespace
}  // namespace podctl::download

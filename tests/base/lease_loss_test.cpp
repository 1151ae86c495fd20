#include "podctl/base/file.hpp"
#include "podctl/base/lease.hpp"
#include "podctl/base/stop.hpp"

#include "lease_claims.hpp"
#include "lease_fixture.hpp"
#include "support/error_of.hpp"
#include "support/other_process.hpp"

#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace podctl {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsNull;
using testing::NotNull;
using Other = test::OtherProcess;

TEST_F(LeaseOf, WhoeverFindsAHigherGenerationHasLostIt) {
    const auto lease = acquire(endless);
    EXPECT_TRUE(lease->is_ours());
    EXPECT_FALSE(lease->lost().stop_requested());
    write_file_atomically(dir / "l.2", elsewhere);
    EXPECT_FALSE(lease->is_ours());
    EXPECT_TRUE(lease->lost().stop_requested());
    fs::remove(dir / "l.2");
    EXPECT_FALSE(lease->is_ours());  // for good
}

TEST_F(LeaseOf, WhoeverFindsItsFileGoneHasLostIt) {
    const auto lease = acquire(endless);
    fs::remove(dir / "l.1");
    EXPECT_FALSE(lease->is_ours());
}

TEST_F(LeaseOf, TheKeeperFindsOutByItself) {
    const auto lease = acquire({.heartbeat = 20ms, .patience = 1h});
    write_file_atomically(dir / "l.2", elsewhere);
    while (wait_for(1h, lease->lost())) {
    }
    EXPECT_TRUE(lease->lost().stop_requested());
}

// Every write of a lease's file fails as on a full volume: they are the pwrites of this process. An
// ordinary user may do that, and mount no volume of his own. Sanitizers look at memory by write(2).
bool fill_the_volume() {
    std::array<sock_filter, 4> program{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_pwrite64, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSPC),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog filter{.len = program.size(), .filter = program.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) ==
               0;
}

TEST_F(LeaseOf, WhoeverCannotWriteHasLostItBeforeOthersHaveIt) {
    const Lease::Timing timing{.heartbeat = 20ms, .patience = 3s};
    Other holder{[&](int fd) {
        const auto lease = acquire(timing);
        Other::tell(fd, fill_the_volume());
        while (wait_for(1h, lease->lost())) {
        }
        Other::tell(fd, Clock::now());
        ::pause();
    }};
    ASSERT_TRUE(holder.hear<bool>());
    const auto lease = acquire(timing);
    const auto had = Clock::now();
    EXPECT_LT(holder.hear<Clock::time_point>(), had);
    EXPECT_EQ(lease->generation(), 2u);
}

TEST_F(LeaseOf, AFullVolumeDoesNotEmptyItsFile) {
    Other holder{[&](int fd) {
        const auto lease = acquire(quick);
        Other::tell(fd, fill_the_volume());
        while (wait_for(1h, lease->lost())) {
        }
        Other::tell(fd, 'l');
        ::pause();
    }};
    ASSERT_TRUE(holder.hear<bool>());
    EXPECT_EQ(holder.hear<char>(), 'l');
    const auto seen = lease_holder(dir.path(), "l");
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->pid, holder.pid());
}

TEST_F(LeaseOf, AClaimThatCannotBeWrittenIsTakenBack) {
    Other other{[&](int fd) {
        const bool is_full = fill_the_volume();
        const auto error = test::error_of([&] { acquire(quick); });
        Other::tell(fd, is_full && error.kind() == ErrorKind::io);
    }};
    EXPECT_TRUE(other.hear<bool>());
    EXPECT_THAT(files(), IsEmpty());
}

TEST_F(LeaseOf, WhatIsNoFileOfThisUserIsPassedOver) {
    fs::create_directory(dir / "l.900");
    fs::create_symlink("nowhere", dir / "l.2");
    for (const auto* name : {"l.1x", "l.", "l.01", "l.99999999999999999999", "lx.3", "l.1.4"})
        write_file_atomically(dir / name, elsewhere);
    EXPECT_FALSE(lease_holder(dir.path(), "l"));
    auto first = try_acquire();
    ASSERT_THAT(first, NotNull());
    EXPECT_EQ(first->generation(), 1u);
    EXPECT_TRUE(first->is_ours());
    first.reset();
    const auto second = try_acquire();
    ASSERT_THAT(second, NotNull());
    EXPECT_EQ(second->generation(), 3u);
    EXPECT_TRUE(second->is_ours());
    EXPECT_TRUE(fs::exists(dir / "l.900"));
}

TEST_F(LeaseOf, AnotherUserCannotKeepThisOneOut) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root may make files of other users";
    constexpr uid_t nobody = 65534;
    for (const auto* name : {"l.1", "l.5"}) {
        write_file_atomically(dir / name, elsewhere);
        ASSERT_EQ(::chown((dir / name).c_str(), nobody, nobody), 0);
    }
    const auto lease = try_acquire();
    ASSERT_THAT(lease, NotNull());
    EXPECT_EQ(lease->generation(), 2u);
    EXPECT_TRUE(lease->is_ours());
}

TEST_F(LeaseOf, AFileThatWasOpenedToOthersIsClosedToThemAgain) {
    const auto lease = acquire(quick);
    ASSERT_EQ(::chmod((dir / "l.1").c_str(), 0666), 0);
    struct stat status {};
    do {
        std::this_thread::yield();
        ASSERT_EQ(::stat((dir / "l.1").c_str(), &status), 0);
    } while ((status.st_mode & 07777u) != 0600 && !lease->lost().stop_requested());
    EXPECT_TRUE(lease->is_ours());
}

TEST_F(LeaseOf, AJudgementThatIsOutOfDateClaimsNothing) {
    LeaseClaims claims{dir.path(), "l", endless};
    const auto nobody_ever = claims.look();
    acquire(endless).reset();
    const auto released = claims.look();
    acquire(endless)->remove_at_end();
    EXPECT_THAT(files(), IsEmpty());

    // Generation 1 was released, and all is gone.
    EXPECT_THAT(claims.claim(released), IsNull());
    EXPECT_THAT(files(), IsEmpty());

    acquire(endless).reset();
    const auto holder = acquire(endless);
    ASSERT_EQ(holder->generation(), 2u);
    // The number is free again, but a higher one is held.
    EXPECT_THAT(claims.claim(nobody_ever), IsNull());
    EXPECT_THAT(files(), ElementsAre("l.2"));
    EXPECT_TRUE(holder->is_ours());
}

TEST_F(LeaseOf, ANameThatIsNotUsedForEverLeavesNoFile) {
    acquire(endless)->remove_at_end();
    EXPECT_THAT(files(), IsEmpty());

    remove_lease(dir.path(), "l");
    remove_lease(dir / "none", "l");
    EXPECT_THAT(files(), IsEmpty());

    write_file_atomically(dir / "l.7", elsewhere);
    remove_lease(dir.path(), "l");  // somebody may hold it
    EXPECT_THAT(files(), ElementsAre("l.7"));
    fs::remove(dir / "l.7");

    Other holder{[&](int fd) {
        const auto lease = acquire(endless);
        Other::tell(fd, 'h');
        ::pause();
    }};
    EXPECT_EQ(holder.hear<char>(), 'h');
    remove_lease(dir.path(), "l");
    EXPECT_THAT(files(), ElementsAre("l.1"));
    holder.kill();
    remove_lease(dir.path(), "l");
    EXPECT_THAT(files(), IsEmpty());
}

}  // namespace
}  // namespace podctl

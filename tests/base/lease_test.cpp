#include "podctl/base/lease.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/stop.hpp"

#include "lease_claims.hpp"
#include "lease_text.hpp"
#include "support/error_of.hpp"
#include "support/other_process.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace podctl {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsNull;
using testing::NotNull;
using Other = test::OtherProcess;

// Of a machine that nothing is known of.
const std::string elsewhere =
    lease_line(LeaseState::held, 5) + "another-boot pid:[1] 1 1 1764000000 00 elsewhere\n";

class LeaseOf : public testing::Test {
protected:
    std::unique_ptr<Lease> acquire(const Lease::Timing& timing) const {
        return Lease::acquire(dir.path(), "l", timing, {}, {});
    }
    std::unique_ptr<Lease> try_acquire() const {
        return Lease::try_acquire(dir.path(), "l", endless);
    }
    std::set<std::string> files() const {
        std::set<std::string> names;
        for (const auto& entry : fs::directory_iterator{dir.path()})
            names.insert(entry.path().filename().string());
        return names;
    }

    test::TempDir dir;
    // Nothing that is waited for comes in time.
    const Lease::Timing endless{.heartbeat = 1h, .patience = 24h};
    const Lease::Timing quick{.heartbeat = 20ms, .patience = 800ms};
};

struct Tenure {
    std::uint64_t generation = 0;
    Clock::time_point begun, ended;  // ended: when it was its own for the last time
};

Tenure hold_a_while(const fs::path& folder, const Lease::Timing& timing) {
    const auto lease = Lease::acquire(folder, "l", timing, {}, {});
    Tenure tenure{.generation = lease->generation(), .begun = Clock::now(), .ended = Clock::now()};
    for (int look = 0; look < 30; ++look) {
        const auto now = Clock::now();
        if (!lease->is_ours()) break;
        tenure.ended = now;
    }
    return tenure;
}

TEST_F(LeaseOf, AMachineThatDiedIsHadByOneWaiterAfterTheOther) {
    for (int round = 0; round < 5; ++round) {
        const test::TempDir folder;
        write_file_atomically(folder / "l.7", elsewhere);
        const auto waiter = [&](int fd) { Other::tell(fd, hold_a_while(folder.path(), quick)); };
        std::array<Other, 4> waiters{Other{waiter}, Other{waiter}, Other{waiter}, Other{waiter}};
        std::vector<Tenure> tenures;
        for (auto& each : waiters) {
            tenures.push_back(each.hear<Tenure>());
            EXPECT_EQ(each.wait(), 0);
        }
        std::ranges::sort(tenures, {}, &Tenure::generation);
        for (std::size_t i = 0; i < tenures.size(); ++i) {
            EXPECT_EQ(tenures[i].generation, 8 + i);
            if (i == 0) continue;
            EXPECT_GT(tenures[i].begun, tenures[i - 1].ended);
        }
    }
}

TEST_F(LeaseOf, AMachineThatDiedIsHadOnceItWasSilentForAsLongAsThePatience) {
    write_file_atomically(dir / "l.7", elsewhere);
    const auto before = Clock::now();
    const auto lease = acquire(quick);
    EXPECT_GE(Clock::now() - before, quick.patience);
    EXPECT_EQ(lease->generation(), 8u);
    EXPECT_TRUE(lease->is_ours());
}

TEST_F(LeaseOf, AStoppedHolderIsTakenOverAndKnowsItWhenItGoesOn) {
    Other holder{[&](int fd) {
        const auto lease = acquire(quick);
        Other::tell(fd, lease->generation());
        while (wait_for(1h, lease->lost())) {
        }
        Other::tell(fd, lease->is_ours());
    }};
    EXPECT_EQ(holder.hear<std::uint64_t>(), 1u);
    holder.stop();
    const auto before = Clock::now();
    const auto lease = acquire(quick);
    EXPECT_GE(Clock::now() - before, quick.patience);
    EXPECT_EQ(lease->generation(), 2u);
    holder.go_on();
    EXPECT_FALSE(holder.hear<bool>());
    EXPECT_EQ(holder.wait(), 0);
    EXPECT_TRUE(lease->is_ours());  // that the other one has ended releases nothing
}

TEST_F(LeaseOf, AProcessThatIsGoneIsHadAtOnce) {
    Other holder{[&](int fd) {
        const auto lease = acquire(endless);
        Other::tell(fd, lease->generation());
        ::pause();
    }};
    EXPECT_EQ(holder.hear<std::uint64_t>(), 1u);
    EXPECT_THAT(try_acquire(), IsNull());
    const auto seen = lease_holder(dir.path(), "l");
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->pid, holder.pid());
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    EXPECT_EQ(seen->host, host.data());
    EXPECT_LE(std::chrono::system_clock::now() - seen->since, 10min);

    holder.kill();
    EXPECT_FALSE(lease_holder(dir.path(), "l"));
    const auto lease = acquire(endless);  // it would wait for a day
    EXPECT_EQ(lease->generation(), 2u);
}

TEST_F(LeaseOf, OneThatReleasedItIsHadAtOnceAndItsFileGoes) {
    EXPECT_FALSE(lease_holder(dir.path(), "l"));
    auto first = acquire(endless);
    EXPECT_TRUE(lease_holder(dir.path(), "l"));
    EXPECT_THAT(try_acquire(), IsNull());
    first.reset();
    EXPECT_FALSE(lease_holder(dir.path(), "l"));
    EXPECT_THAT(files(), ElementsAre("l.1"));
    const auto second = try_acquire();
    ASSERT_THAT(second, NotNull());
    EXPECT_EQ(second->generation(), 2u);
    EXPECT_THAT(files(), ElementsAre("l.2"));
}

TEST_F(LeaseOf, SomebodyWhoLivesIsToldOfWhileItIsWaitedFor) {
    Other holder{[&](int fd) {
        const auto lease = acquire({.heartbeat = 20ms, .patience = 1h});
        Other::tell(fd, 'h');
        ::pause();
    }};
    EXPECT_EQ(holder.hear<char>(), 'h');
    std::stop_source stop;
    std::chrono::milliseconds longest{};
    const auto on_wait = [&](const LeaseHolder& seen, std::chrono::milliseconds waited) {
        EXPECT_EQ(seen.pid, holder.pid());
        EXPECT_GE(waited, longest);
        longest = waited;
        if (seen.is_alive) stop.request_stop();
    };
    const auto error = test::error_of([&] {
        Lease::acquire(dir.path(), "l", {.heartbeat = 20ms, .patience = 1h}, on_wait,
                       stop.get_token());
    });
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
}

TEST_F(LeaseOf, AMachineThatDiedIsNotToldToLiveAndAStopEndsTheWait) {
    write_file_atomically(dir / "l.7", elsewhere);
    std::stop_source stop;
    int told = 0;
    const auto on_wait = [&](const LeaseHolder& seen, std::chrono::milliseconds) {
        EXPECT_EQ(seen.host, "elsewhere");
        EXPECT_FALSE(seen.is_alive);
        if (++told == 3) stop.request_stop();
    };
    const auto error = test::error_of([&] {
        Lease::acquire(dir.path(), "l", {.heartbeat = 20ms, .patience = 1h}, on_wait,
                       stop.get_token());
    });
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    EXPECT_EQ(told, 3);
    EXPECT_THAT(files(), ElementsAre("l.7"));
}

TEST_F(LeaseOf, AVolumeThatIsAwayForAMomentEndsNoWait) {
    const fs::path folder = dir / "volume", away = dir / "away";
    auto holder = Lease::try_acquire(folder, "l", endless);
    int looks = 0;
    const auto lease = Lease::acquire(
        folder, "l", quick,
        [&](const LeaseHolder& seen, std::chrono::milliseconds) {
            EXPECT_EQ(seen.pid, ::getpid());
            ++looks;
            if (looks == 1) {
                fs::rename(folder, away);
                fs::create_symlink(folder.filename(), folder);  // which leads nowhere: ELOOP
            }
            if (looks == 3) {
                fs::remove(folder);
                fs::rename(away, folder);
                holder.reset();
            }
        },
        {});
    EXPECT_EQ(lease->generation(), 2u);
    EXPECT_EQ(looks, 3);
}

TEST_F(LeaseOf, AVolumeThatStaysAwayEndsTheWaitWithItsError) {
    const fs::path folder = dir / "volume";
    const auto holder = Lease::try_acquire(folder, "l", endless);
    const auto before = Clock::now();
    bool is_first = true;
    const auto error = test::error_of([&] {
        Lease::acquire(folder, "l", quick,
                       [&](const LeaseHolder&, std::chrono::milliseconds) {
                           if (!std::exchange(is_first, false)) return;
                           fs::rename(folder, dir / "away");
                           fs::create_symlink(folder.filename(),
                                              folder);  // which leads nowhere: ELOOP
                       },
                       {});
    });
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_THAT(error.message(), HasSubstr("cannot list"));
    EXPECT_GE(Clock::now() - before, quick.patience);
    fs::remove(folder);
}

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

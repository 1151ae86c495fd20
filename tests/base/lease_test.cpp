#include "podctl/base/lease.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/stop.hpp"

#include "lease_fixture.hpp"
#include "support/error_of.hpp"
#include "support/other_process.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>
#include <vector>

namespace podctl {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsNull;
using testing::NotNull;
using Other = test::OtherProcess;

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

}  // namespace
}  // namespace podctl

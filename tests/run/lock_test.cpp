#include "podctl/run/lock.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/run/volume_lock.hpp"

#include "support/error_of.hpp"
#include "support/other_process.hpp"
#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>

namespace podctl::run {
namespace {

TEST(PodLock, IsHeldByOneOnlyAndNamesTheHolder) {
    const test::TempDir dir;
    const PodLock held{dir / ".podctl/lock", dir.path()};
    try {
        const PodLock second{dir / ".podctl/lock", dir.path()};
        FAIL() << "held twice";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::locked);
        EXPECT_THAT(error.message(), ::testing::HasSubstr(std::to_string(::getpid())));
    }
}

TEST(PodLock, IsFreeAgainOnceItsHolderIsGone) {
    const test::TempDir dir;
    { const PodLock held{dir / ".podctl/lock", dir.path()}; }
    EXPECT_NO_THROW((PodLock{dir / ".podctl/lock", dir.path()}));
}

// In a process of its own, as which user: holds the lock until it is ended.
class Holder {
public:
    explicit Holder(const std::filesystem::path& lock, uid_t user = ::geteuid())
        : process_{[&](int fd) {
              if (::setresuid(user, user, user) != 0) ::_exit(1);
              const PodLock held{lock, lock.parent_path()};
              test::OtherProcess::tell(fd, true);
              while (true)
                  ::pause();
          }} {
        EXPECT_TRUE(process_.hear<bool>());
    }
    void end() { process_.kill(); }
    pid_t pid() const { return process_.pid(); }

private:
    test::OtherProcess process_;
};

TEST(PodLock, IsHeldAlsoWhenTheStateFolderIsGone) {
    const test::TempDir dir;
    const auto lock = dir / ".podctl/lock";
    Holder holder{lock};
    for (const bool renamed : {true, false}) {
        if (renamed)
            std::filesystem::rename(dir / ".podctl", dir / "theirs");
        else
            std::filesystem::remove_all(dir / ".podctl");
        for (const auto what : {PodLock::For::pod, PodLock::For::moment}) {
            const auto error = test::error_of([&] {
                const PodLock second{lock, dir.path(), what};
            });
            EXPECT_EQ(error.kind(), ErrorKind::locked);
            EXPECT_THAT(error.message(), ::testing::HasSubstr(std::to_string(holder.pid())));
        }
    }
    EXPECT_NO_THROW((PodLock{dir / "other/.podctl/lock", dir / "other"}));
    holder.end();
    EXPECT_NO_THROW((PodLock{lock, dir.path()}));
}

TEST(PodLock, ThatIsNotForAPodIsNotAnnounced) {
    const test::TempDir dir;
    const PodLock held{dir / ".podctl/lock", dir.path(), PodLock::For::moment};
    std::filesystem::remove_all(dir / ".podctl");
    const pid_t child = ::fork();
    if (child == 0) {
        try {
            const PodLock second{dir / ".podctl/lock", dir.path()};
        } catch (...) {
            ::_exit(1);
        }
        ::_exit(0);
    }
    int status = 1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

TEST(PodLock, AnotherUsersAnnouncementKeepsNobodyOut) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root may become another user";
    const test::TempDir dir;
    std::filesystem::permissions(dir.path(), std::filesystem::perms::all);
    const Holder holder{dir / ".podctl/lock", 65534};
    std::filesystem::rename(dir / ".podctl", dir / "theirs");
    EXPECT_NO_THROW((PodLock{dir / ".podctl/lock", dir.path()}));
}

class VolumeLocks : public testing::Test {
protected:
    VolumeLocks() { std::filesystem::create_directories(dir / "root/.podctl"); }

    plan::Places places(plan::OwnDisk::Environments environments) const {
        return plan::places_of(pod, dir / "root",
                               {.folder = dir / "own", .environments = environments});
    }
    // What it says where it is not to be waited for; without a word: it is had.
    static std::string refusal(const plan::Places& places, VolumeLock::Wait wait) {
        try {
            const VolumeLock lock{places, wait, nobody_waits, {}};
            return {};
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::locked);
            return error.message() + "\n" + error.hint();
        }
    }
    static void nobody_waits(const LockHolder&, std::chrono::milliseconds) {
        FAIL() << "it is waited for";
    }

    test::TempDir dir;
    const tmpl::Template pod;
    const plan::Places shares = places(plan::OwnDisk::Environments::in_own_folder);
    const plan::Places keeps = places(plan::OwnDisk::Environments::on_volume);
};

TEST_F(VolumeLocks, AreHadBesideThePodsAlsoWhereThePodHasNoFolderOfItsOwn) {
    const auto alone = plan::places_of(pod, dir / "root");
    const PodLock of_pod{alone.own_lock, alone.root};
    EXPECT_EQ(refusal(alone, VolumeLock::Wait::yes), "");
}

TEST_F(VolumeLocks, OfWhoLetsGoAreWaitedForUnlessSomebodySaysNot) {
    const VolumeLock held{shares, VolumeLock::Wait::yes, nobody_waits, {}};
    EXPECT_THAT(refusal(shares, VolumeLock::Wait::no),
                testing::HasSubstr("lets go once the volume is provisioned"));
    ASSERT_TRUE(holder_of_volume(shares));
    EXPECT_EQ(holder_of_volume(shares)->pid, ::getpid());
    EXPECT_TRUE(is_on_this_host(*holder_of_volume(shares)));
}

TEST_F(VolumeLocks, OfWhoHasEnvironmentsThereAreNotWaitedFor) {
    const VolumeLock held{keeps, VolumeLock::Wait::yes, nobody_waits, {}};
    EXPECT_THAT(refusal(shares, VolumeLock::Wait::yes),
                testing::HasSubstr("keeps the volume until it ends"));
}

TEST_F(VolumeLocks, OfAnEarlierVersionAreNotWaitedForAndNameItsProcess) {
    const Fd file{::open(keeps.lock.c_str(), O_RDWR | O_CREAT, 0600)};
    ASSERT_EQ(::flock(file.get(), LOCK_EX), 0);
    write_all(file.get(), "4711\n", keeps.lock);
    EXPECT_TRUE(is_file_locked(keeps.lock));
    EXPECT_THAT(refusal(shares, VolumeLock::Wait::yes), testing::HasSubstr("(pid 4711)"));
}

TEST_F(VolumeLocks, OfNobodyHaveNoHolder) {
    EXPECT_EQ(holder_of_volume(shares), std::nullopt);
    { const VolumeLock held{shares, VolumeLock::Wait::no, nobody_waits, {}}; }
    EXPECT_EQ(holder_of_volume(shares), std::nullopt);
}

}  // namespace
}  // namespace podctl::run

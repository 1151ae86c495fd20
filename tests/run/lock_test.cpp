#include "podctl/run/lock.hpp"

#include "podctl/base/error.hpp"

#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

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
    { const RootLock held{dir / ".podctl/lock"}; }
    EXPECT_NO_THROW(RootLock{dir / ".podctl/lock"});
}

// In a process of its own, as which user: holds the lock until it is ended.
class Holder {
public:
    explicit Holder(const std::filesystem::path& lock, uid_t user = ::geteuid()) {
        int ready[2];
        if (::pipe(ready) != 0) return;
        pid_ = ::fork();
        if (pid_ == 0) {
            if (::setresuid(user, user, user) != 0) ::_exit(1);
            const RootLock held{lock};
            static_cast<void>(!::write(ready[1], "y", 1));
            while (true)
                ::pause();
        }
        ::close(ready[1]);
        char held = 0;
        EXPECT_EQ(::read(ready[0], &held, 1), 1);
        ::close(ready[0]);
    }
    ~Holder() { end(); }
    void end() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    pid_t pid() const { return pid_; }

private:
    pid_t pid_ = 0;
};

TEST(RootLock, IsHeldAlsoWhenTheStateFolderIsGone) {
    const test::TempDir dir;
    const auto lock = dir / ".podctl/lock";
    Holder holder{lock};
    for (const bool renamed : {true, false}) {
        if (renamed)
            std::filesystem::rename(dir / ".podctl", dir / "theirs");
        else
            std::filesystem::remove_all(dir / ".podctl");
        for (const auto what : {RootLock::For::pod, RootLock::For::moment}) {
            const auto error = test::error_of([&] { const RootLock second{lock, what}; });
            EXPECT_EQ(error.kind(), ErrorKind::locked);
            EXPECT_THAT(error.message(), ::testing::HasSubstr(std::to_string(holder.pid())));
        }
    }
    EXPECT_NO_THROW(RootLock{dir / "other/.podctl/lock"});
    holder.end();
    EXPECT_NO_THROW(RootLock{lock});
}

TEST(RootLock, ThatIsNotForAPodIsNotAnnounced) {
    const test::TempDir dir;
    const RootLock held{dir / ".podctl/lock", RootLock::For::moment};
    std::filesystem::remove_all(dir / ".podctl");
    const pid_t child = ::fork();
    if (child == 0) {
        try {
            const RootLock second{dir / ".podctl/lock"};
        } catch (...) {
            ::_exit(1);
        }
        ::_exit(0);
    }
    int status = 1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

TEST(RootLock, AnotherUsersAnnouncementKeepsNobodyOut) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root may become another user";
    const test::TempDir dir;
    std::filesystem::permissions(dir.path(), std::filesystem::perms::all);
    const Holder holder{dir / ".podctl/lock", 65534};
    std::filesystem::rename(dir / ".podctl", dir / "theirs");
    EXPECT_NO_THROW(RootLock{dir / ".podctl/lock"});
}

}  // namespace
}  // namespace podctl::run

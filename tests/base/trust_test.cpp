#include "podctl/base/trust.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace podctl {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uid_t nobody = 65534;

class StateFile : public testing::Test {
protected:
    StateFile() {
        write_file_atomically(file, "content");
        ::chmod(dir.path().c_str(), 0700);
    }

    std::string distrust() const {
        const auto state = read_state_file(file);
        EXPECT_NE(state.text.has_value(), !state.distrust.empty());
        return state.distrust;
    }

    test::TempDir dir;
    fs::path file = dir / "state.json";
};

TEST_F(StateFile, OfTheUsersOwnIsReadWhole) {
    const std::string large(200'000, 'x');
    write_file_atomically(file, large);
    const auto state = read_state_file(file);
    EXPECT_EQ(state.text, large);
    EXPECT_THAT(state.distrust, IsEmpty());
}

TEST_F(StateFile, ThatIsNotThereIsNoReasonForDistrust) {
    EXPECT_FALSE(read_state_file(dir / "none").text);
    EXPECT_THAT(read_state_file(dir / "none").distrust, IsEmpty());
    EXPECT_THAT(read_state_file(dir / "no/folder").distrust, IsEmpty());
}

TEST_F(StateFile, ThatOthersMayWriteIsNotRead) {
    for (const mode_t mode : {0666u, 0602u}) {
        ::chmod(file.c_str(), mode);
        EXPECT_THAT(distrust(), HasSubstr("written by others")) << mode;
    }
    ::chmod(file.c_str(), 0644);
    EXPECT_THAT(distrust(), IsEmpty());
}

TEST_F(StateFile, ThatAGroupMayWriteIsReadOnlyWhenTheGroupIsTheUsersOwn) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs a group of other users";
    ::chmod(file.c_str(), 0664);
    EXPECT_THAT(distrust(), IsEmpty());
    ASSERT_EQ(::chown(file.c_str(), 0, nobody), 0);
    EXPECT_THAT(distrust(), HasSubstr("written by others"));
}

TEST_F(StateFile, InAFolderThatOthersMayWriteIsNotRead) {
    ::chmod(dir.path().c_str(), 0777);
    EXPECT_THAT(distrust(), HasSubstr("folder that can be written by others"));
    ::chmod(dir.path().c_str(), 0755);
    EXPECT_THAT(distrust(), IsEmpty());
}

TEST_F(StateFile, OfTheUsersOwnMayStandAmongOthersWhereTheFileAloneCounts) {
    ::chmod(dir.path().c_str(), 0777);
    EXPECT_EQ(read_own_file(file).text, "content");
    ::chmod(file.c_str(), 0666);
    EXPECT_FALSE(read_own_file(file).text);
}

TEST_F(StateFile, IsWrittenForTheUserAlone) {
    write_state_file(dir / "new", "content");
    EXPECT_EQ(fs::status(dir / "new").permissions(), fs::perms{0600});
    EXPECT_EQ(read_state_file(dir / "new").text, "content");
}

TEST_F(StateFile, WithASecondNameIsNotRead) {
    fs::create_hard_link(file, dir / "other");
    EXPECT_THAT(distrust(), HasSubstr("2 names"));
}

TEST_F(StateFile, ThatIsALinkIsNotFollowed) {
    fs::rename(file, dir / "other");
    fs::create_symlink("other", file);
    EXPECT_THAT(distrust(), HasSubstr("a link"));
}

TEST_F(StateFile, ThatIsNoFileIsNotWaitedFor) {
    fs::remove(file);
    ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
    EXPECT_THAT(distrust(), HasSubstr("no regular file"));
    fs::remove(file);
    fs::create_directory(file);
    EXPECT_THAT(distrust(), HasSubstr("no regular file"));
    fs::remove(file);
    const Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    file.string().copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_THAT(distrust(), HasSubstr("no regular file"));
}

TEST_F(StateFile, OfAnotherUserIsNotRead) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    ASSERT_EQ(::chown(file.c_str(), nobody, nobody), 0);
    EXPECT_THAT(distrust(), HasSubstr("belongs to"));
    ASSERT_EQ(::chown(file.c_str(), 0, 0), 0);
    ASSERT_EQ(::chown(dir.path().c_str(), nobody, nobody), 0);
    EXPECT_THAT(distrust(), HasSubstr("folder that belongs to"));
}

// One that cannot be looked into is a fault that the user has to know of, not one without state.
TEST_F(StateFile, ThatCannotBeOpenedIsAnError) {
    if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
    ::chmod(file.c_str(), 0);
    EXPECT_THROW(read_state_file(file), Error);
}

class SharedFolder : public testing::Test {
protected:
    Fd with_mode(mode_t mode) const {
        ::chmod(dir.path().c_str(), mode);
        return Fd{::open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    }
    bool is_replaceable(mode_t mode) const { return others_may_replace_in(with_mode(mode).get()); }
    bool takes_more(mode_t mode) const { return others_may_add_in(with_mode(mode).get()); }

    test::TempDir dir;
};

TEST_F(SharedFolder, IsSafeFromOthersWhereTheyMayNotRename) {
    EXPECT_FALSE(is_replaceable(0755));
    EXPECT_FALSE(is_replaceable(01777));
    EXPECT_TRUE(is_replaceable(0777));
}

// The sticky bit keeps others from renaming, not from making.
TEST_F(SharedFolder, TakesWhatOthersAddWithTheStickyBitToo) {
    EXPECT_FALSE(takes_more(0755));
    EXPECT_FALSE(takes_more(01755));
    EXPECT_TRUE(takes_more(01777));
    EXPECT_TRUE(takes_more(0777));
    if (::geteuid() != 0) return;
    ASSERT_EQ(::chown(dir.path().c_str(), nobody, nobody), 0);
    EXPECT_TRUE(takes_more(0755));
}

TEST_F(SharedFolder, OfAnotherUserIsNotSafe) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    ASSERT_EQ(::chown(dir.path().c_str(), nobody, nobody), 0);
    EXPECT_TRUE(is_replaceable(0755));
    EXPECT_TRUE(is_replaceable(01777));
}

TEST_F(SharedFolder, OfAGroupIsSafeWhenTheGroupIsTheUsersOwn) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs a group of other users";
    EXPECT_FALSE(is_replaceable(0775));
    ASSERT_EQ(::chown(dir.path().c_str(), 0, nobody), 0);
    EXPECT_TRUE(is_replaceable(0775));
}

TEST_F(SharedFolder, KeepsTheOwnersOfWhatIsMadeThere) {
    const Fd folder{::open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    EXPECT_TRUE(keeps_owners(folder.get()));
    EXPECT_TRUE(is_own(::geteuid(), folder.get()));
    EXPECT_FALSE(is_own(::geteuid() + 1, folder.get()));
    EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST(UserName, IsThatOfTheSystem) {
    EXPECT_EQ(user_name(0), "root (uid 0)");
    EXPECT_EQ(user_name(4'000'000'123), "uid 4000000123");
}

}  // namespace
}  // namespace podctl

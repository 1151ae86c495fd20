#include "podctl/base/beneath.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "support/error_of.hpp"
#include "support/temp_dir.hpp"
#include "walk.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace podctl {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using testing::HasSubstr;

constexpr uid_t nobody = 65534;

bool is_same(const Fd& opened, const fs::path& path) {
    struct stat mine {
    }, other{};
    return ::fstat(opened.get(), &mine) == 0 && ::stat(path.c_str(), &other) == 0 &&
           mine.st_dev == other.st_dev && mine.st_ino == other.st_ino;
}

void give_to_nobody(const fs::path& path) {
    ASSERT_EQ(::lchown(path.c_str(), nobody, nobody), 0);
}

// A root of the user's own, where `inside` is a folder, and one outside that a tenant would like to
// have podctl write to.
class Tenants : public testing::Test {
protected:
    Tenants() {
        fs::create_directories(root / "inside");
        fs::create_directories(outside.path());
    }

    // A link that another user has put into the root. Without root's power to give it away, one in
    // a folder where anybody could have put it.
    void plant_link(const fs::path& at, const fs::path& target) {
        fs::create_symlink(target, at);
        if (::geteuid() == 0) return give_to_nobody(at);
        ::chmod(at.parent_path().c_str(), 0777);
    }

    test::TempDir root, outside;
};

// Both ways to open a folder: the kernel's, and the one for kernels without openat2.
enum class Way { any, by_steps };

class OpenFolder : public Tenants, public testing::WithParamInterface<Way> {
protected:
    Fd open(const fs::path& relative, Missing missing = Missing::fail) {
        if (GetParam() == Way::any) return open_folder_beneath(root / relative, missing);
        const Fd start{::open(root.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
        return walk(start.get(), root.path(), relative, missing);
    }
};

INSTANTIATE_TEST_SUITE_P(Ways, OpenFolder, testing::Values(Way::any, Way::by_steps));

TEST_P(OpenFolder, OpensWhatIsThere) {
    fs::create_directories(root / "inside/deeper");
    EXPECT_TRUE(is_same(open("inside/deeper"), root / "inside/deeper"));
    EXPECT_TRUE(is_same(open("."), root.path()));
}

TEST_P(OpenFolder, MakesWhatIsMissingOnlyWhenTold) {
    EXPECT_FALSE(open("a/b"));
    EXPECT_EQ(errno, ENOENT);
    EXPECT_FALSE(fs::exists(root / "a"));
    EXPECT_TRUE(is_same(open("a/b", Missing::make), root / "a/b"));
}

TEST_P(OpenFolder, MakesFoldersThatOthersMayNotWriteToWhateverTheUmask) {
    const mode_t before = ::umask(0);
    EXPECT_TRUE(open("a/b", Missing::make));
    ::umask(before);
    EXPECT_EQ(fs::status(root / "a/b").permissions(), fs::perms{0755});
}

TEST_P(OpenFolder, IsNoFileOnTheWay) {
    write_file_atomically(root / "file", "");
    EXPECT_FALSE(open("file/more", Missing::make));
    EXPECT_EQ(errno, ENOTDIR);
}

TEST_P(OpenFolder, FollowsALinkOfTheUsersOwn) {
    fs::create_directories(outside / "models/loras");
    fs::create_symlink(outside / "models", root / "models");
    EXPECT_TRUE(is_same(open("models/loras"), outside / "models/loras"));
    EXPECT_TRUE(is_same(open("models/new", Missing::make), outside / "models/new"));
    fs::create_symlink("../inside", root / "inside/around");
    EXPECT_TRUE(is_same(open("inside/around"), root / "inside"));
}

TEST_P(OpenFolder, DoesNotMakeWhatALinkLeadsTo) {
    fs::create_symlink(outside / "not-mounted", root / "models");
    EXPECT_FALSE(open("models/loras", Missing::make));
    EXPECT_EQ(errno, ENOENT);
    EXPECT_TRUE(fs::is_empty(outside.path()));
}

TEST_P(OpenFolder, EndsWhereLinksLeadInACircle) {
    fs::create_symlink("b", root / "a");
    fs::create_symlink("a", root / "b");
    EXPECT_FALSE(open("a/more", Missing::make));
    EXPECT_EQ(errno, ELOOP);
}

TEST_P(OpenFolder, RefusesALinkOfAnotherUsersAndNamesIt) {
    plant_link(root / "models", outside.path());
    const auto error = error_of([&] { open("models/loras", Missing::make); });
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), HasSubstr((root / "models").string() + " is a link of"));
    EXPECT_THAT(error.hint(), testing::Not(testing::IsEmpty()));
    EXPECT_TRUE(fs::is_empty(outside.path()));
}

TEST_P(OpenFolder, RefusesAnotherUsersLinkAlsoBehindALinkOfTheUsersOwn) {
    plant_link(root / "inside/models", outside.path());
    fs::create_symlink("inside", root / "mine");
    EXPECT_THROW(open("mine/models"), Error);
}

TEST_P(OpenFolder, RefusesALinkWhereOthersMayPutAnotherInItsPlace) {
    fs::create_symlink(outside.path(), root / "models");
    ::chmod(root.path().c_str(), 0777);
    const auto error = error_of([&] { open("models"); });
    EXPECT_THAT(error.message(), HasSubstr("where other users may put another"));
    EXPECT_THAT(error.hint(), HasSubstr("chmod +t"));
    // In a sticky folder a link can be replaced by its owner alone.
    ::chmod(root.path().c_str(), 01777);
    EXPECT_TRUE(is_same(open("models"), outside.path()));
}

TEST(OpenWithoutLinks, IsTheKernelsWordOrLeftToTheOtherWay) {
    const test::TempDir dir;
    fs::create_directories(dir / "a");
    fs::create_symlink("a", dir / "link");
    const Fd start{::open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    const Fd opened = open_without_links(start.get(), "a");
    if (!opened && (errno == ENOSYS || errno == EPERM)) GTEST_SKIP() << "no openat2 here";
    EXPECT_TRUE(is_same(opened, dir / "a"));
    EXPECT_FALSE(open_without_links(start.get(), "link"));
    EXPECT_FALSE(open_without_links(start.get(), "../"));
    EXPECT_FALSE(open_without_links(start.get(), "/"));
}

using BeneathARoot = Tenants;

TEST_F(BeneathARoot, NothingIsWrittenBehindAnotherUsersLink) {
    plant_link(root / "models", outside.path());
    write_file_atomically(root / "inside/from", "bytes");
    const fs::path file = root / "models/file";
    EXPECT_THROW(write_file_atomically(file, "bytes"), Error);
    EXPECT_THROW(rename_durably(root / "inside/from", file), Error);
    EXPECT_THROW(create_folders(root / "models/folder"), Error);
    EXPECT_THROW(open_beneath(file, O_WRONLY | O_CREAT, 0600), Error);
    EXPECT_THROW(refuse_foreign_links(file), Error);
    write_file_atomically(outside / "kept", "");
    EXPECT_THROW(remove_tree(root / "models/kept"), Error);
    EXPECT_TRUE(fs::exists(outside / "kept"));
}

TEST_F(BeneathARoot, ALinkInPlaceOfAFileIsReplacedAndNotFollowed) {
    write_file_atomically(outside / "theirs", "theirs");
    fs::create_symlink(outside / "theirs", root / "file");
    EXPECT_FALSE(open_beneath(root / "file", O_WRONLY));
    EXPECT_EQ(errno, ELOOP);
    write_file_atomically(root / "file", "ours");
    EXPECT_EQ(read_file(outside / "theirs"), "theirs");
    EXPECT_EQ(read_file(root / "file"), "ours");
}

TEST_F(BeneathARoot, ALinkOfAnotherUsersIsToldAlsoAtTheEndOfAPath) {
    EXPECT_NO_THROW(refuse_foreign_links(root / "none"));
    plant_link(root / "model.safetensors", outside / "any");
    EXPECT_THROW(refuse_foreign_links(root / "model.safetensors"), Error);
}

TEST_F(BeneathARoot, AnAnchorHoldsWhateverComesToItsPath) {
    anchor(root / "inside");
    fs::rename(root / "inside", root / "moved");
    plant_link(root / "inside", outside.path());
    write_file_atomically(root / "inside/a/file", "bytes");
    EXPECT_TRUE(fs::is_empty(outside.path()));
    EXPECT_EQ(read_file(root / "moved/a/file"), "bytes");
}

TEST_F(BeneathARoot, AnAnchorThatWasRemovedCountsNoMore) {
    anchor(root / "inside");
    fs::remove(root / "inside");
    write_file_atomically(root / "inside/file", "bytes");
    EXPECT_EQ(read_file(root / "inside/file"), "bytes");
}

// Naming a folder is the user's word, wherever links on the way lead.
TEST_F(BeneathARoot, LinksOnTheWayToAnAnchorAreFollowed) {
    plant_link(root / "theirs", outside.path());
    anchor(root / "theirs");
    write_file_atomically(root / "theirs/file", "bytes");
    EXPECT_EQ(read_file(outside / "file"), "bytes");
}

// A tenant who exchanges a folder and a link as quickly as the machine can.
TEST_F(BeneathARoot, NoSwapBetweenLookAndUseLeadsOut) {
    plant_link(root / "link", outside.path());
    std::jthread tenant{[&](const std::stop_token& stop) {
        while (!stop.stop_requested())
            ::renameat2(AT_FDCWD, (root / "inside").c_str(), AT_FDCWD, (root / "link").c_str(),
                        RENAME_EXCHANGE);
    }};
    int refused = 0;
    for (int i = 0; i < 300; ++i) {
        try {
            write_file_atomically(root / "inside/a/file", "bytes");
            remove_tree(root / "inside/a");
        } catch (const Error&) {
            ++refused;
        }
    }
    tenant.request_stop();
    tenant.join();
    EXPECT_GT(refused, 0);
    EXPECT_TRUE(fs::is_empty(outside.path()));
}

TEST(CurrentUmask, IsReadWithoutSettingIt) {
    const mode_t before = ::umask(027);
    EXPECT_EQ(current_umask(), 027u);
    ::umask(before);
    EXPECT_EQ(current_umask(), before);
}

}  // namespace
}  // namespace podctl

#include "root.hpp"

#include "podctl/base/file.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace podctl::machine {
namespace {

namespace fs = std::filesystem;

class RootTest : public testing::Test {
protected:
    // A table with / on overlay, and what is given.
    fs::path mountinfo(const std::string& lines) {
        write_file_atomically(dir / "mountinfo", "21 1 0:20 / / rw - overlay overlay rw\n" + lines);
        return dir / "mountinfo";
    }
    fs::path folder(const std::string& name) {
        fs::create_directories(dir / name);
        return fs::canonical(dir / name);
    }
    static std::string mounted(const std::string& point, const std::string& type) {
        return "36 21 0:40 /x " + point + " rw,noatime shared:1 master:2 - " + type + " src rw\n";
    }
    test::TempDir dir;
};

// Its file system has no name where the root of a chroot is no mount.
TEST_F(RootTest, IsThereAndWritable) {
    const Root root = inspect_root(dir.path());
    EXPECT_TRUE(root.exists);
    EXPECT_TRUE(root.writable);
    EXPECT_GT(root.free.count, 0u);
}

TEST_F(RootTest, ThatIsYetToComeIsJudgedByItsParent) {
    const Root root = inspect_root(dir / "not/yet", mountinfo(mounted(folder("."), "ext4")));
    EXPECT_FALSE(root.exists);
    EXPECT_TRUE(root.writable);
    EXPECT_TRUE(root.is_mount);
    EXPECT_EQ(root.filesystem, "ext4");
    EXPECT_GT(root.free.count, 0u);
}

TEST_F(RootTest, OnTheContainersOwnDiskIsNoMount) {
    const Root root = inspect_root(folder("workspace"), mountinfo(""));
    EXPECT_FALSE(root.is_mount);
    EXPECT_EQ(root.filesystem, "overlay");
}

TEST_F(RootTest, LiesOnTheDeepestMountThatWasMadeLast) {
    const auto workspace = folder("workspace");
    const auto table = mountinfo(mounted(workspace, "autofs") + mounted(workspace, "fuse") +
                                 mounted(workspace.string() + "2", "xfs") +
                                 mounted(workspace.parent_path(), "tmpfs"));
    EXPECT_EQ(inspect_root(workspace, table).filesystem, "fuse");
    EXPECT_EQ(inspect_root(folder("workspace2"), table).filesystem, "xfs");
    EXPECT_EQ(inspect_root(folder("other"), table).filesystem, "tmpfs");
}

TEST_F(RootTest, MayHaveASpaceInItsName) {
    const auto point = folder("my volume");
    std::string escaped = point;
    escaped.replace(escaped.find(' '), 1, "\\040");
    EXPECT_EQ(inspect_root(point, mountinfo(mounted(escaped, "ext4"))).filesystem, "ext4");
}

TEST_F(RootTest, IsFoundThroughALink) {
    const auto volume = folder("volume");
    fs::create_directory_symlink(volume, dir / "link");
    EXPECT_TRUE(inspect_root(dir / "link", mountinfo(mounted(volume, "ext4"))).is_mount);
}

TEST_F(RootTest, ThatIsAFileIsOfNoUse) {
    write_file_atomically(dir / "file", "x");
    const Root root = inspect_root(dir / "file", mountinfo(""));
    EXPECT_FALSE(root.exists);
    EXPECT_FALSE(root.writable);
    EXPECT_FALSE(inspect_root(dir / "file/below", mountinfo("")).writable);
}

TEST_F(RootTest, WithoutPermissionIsNotWritable) {
    if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
    const auto closed = folder("closed");
    fs::permissions(closed, fs::perms::owner_read | fs::perms::owner_exec);
    EXPECT_FALSE(inspect_root(closed).writable);
}

TEST_F(RootTest, SurvivesABrokenTable) {
    const auto table = mountinfo("nonsense\n1 2 3 4 5 6 -\n - - - -\n\n");
    EXPECT_EQ(inspect_root(dir.path(), table).filesystem, "overlay");
    EXPECT_EQ(inspect_root(dir.path(), "/nonexistent").filesystem, "");
}

}  // namespace
}  // namespace podctl::machine

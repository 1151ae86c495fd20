#include "steps/owner.hpp"

#include "podctl/base/file.hpp"

#include "step_test.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

namespace podctl::run {
namespace {

class WayToAModel : public StepTest {
protected:
    void require(const fs::path& target) {
        const auto step = step_of(plan::FetchFolder{});
        require_way(target, task_of(step));
    }
    static void give_away(const fs::path& path) {
        ASSERT_EQ(::lchown(path.c_str(), 65534, 65534), 0);
    }
};

TEST_F(WayToAModel, OfManyFoldersIsLookedAtAtOnce) {
    fs::create_directories(root);
    fs::path folder = root;
    Fd opened{::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    for (int i = 0; i < 800; ++i) {
        ASSERT_EQ(::mkdirat(opened.get(), "a", 0755), 0);
        opened = Fd{::openat(opened.get(), "a", O_PATH | O_DIRECTORY | O_CLOEXEC)};
        folder /= "a";
    }
    const auto started = std::chrono::steady_clock::now();
    require(folder / "x.safetensors");
    EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(5));
    EXPECT_THAT(notices(), SizeIs(0));
}

TEST_F(WayToAModel, IsToldOfByTheOutermostFolderOfOthersThatTheyCanReach) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root gives folders away";
    const auto folder = root / "a/b/c";
    fs::create_directories(folder);
    // A copy that kept its owner, where nobody else gets: what is in it is theirs all the same.
    give_away(root / "a");
    require(folder / "x.safetensors");
    EXPECT_THAT(notices(), SizeIs(0));
    give_away(folder);
    require(folder / "x.safetensors");
    ASSERT_THAT(notices(), SizeIs(1));
    EXPECT_THAT(notices().front(), HasSubstr("a/b/c belongs to nobody"));
    fs::permissions(root, fs::perms{0777});
    require(folder / "x.safetensors");
    ASSERT_THAT(notices(), SizeIs(2));
    EXPECT_THAT(notices().back(), HasSubstr("root/a belongs to nobody"));
}

TEST_F(WayToAModel, LeadsThroughTheUsersOwnLinks) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root gives folders away";
    fs::create_directories(root);
    fs::create_directories(dir / "elsewhere/b");
    fs::create_directory_symlink(dir / "elsewhere", root / "a");
    give_away(dir / "elsewhere/b");
    fs::permissions(dir / "elsewhere", fs::perms{0777} | fs::perms::sticky_bit);
    require(root / "a/b/none/x.safetensors");
    ASSERT_THAT(notices(), SizeIs(1));
    EXPECT_THAT(notices().front(), HasSubstr("root/a/b belongs to nobody"));
}

}  // namespace
}  // namespace podctl::run

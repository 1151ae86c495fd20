#include "podctl/base/error.hpp"
#include "podctl/git/git.hpp"

#include "support/error_of.hpp"
#include "support/git_server.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <filesystem>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

class StandInFolder : public testing::Test {
protected:
    test::TempDir dir_;
    test::GitRepository repository_{dir_ / "checkout"};
};

TEST_F(StandInFolder, KnowsWhatGitTracksAtTheTop) {
    repository_.write("main.py", "x");
    repository_.write("comfy/ldm/flux.py", "x");
    repository_.commit();
    repository_.write("by_hand/x.py", "x");
    EXPECT_THAT(tracked_at_top(repository_.path()), ElementsAre("comfy", "main.py"));
    EXPECT_EQ(test::error_of([&] { tracked_at_top(dir_.path()); }).kind(), ErrorKind::git);
}

TEST_F(StandInFolder, HasAGitThatWorksOnTheCheckout) {
    repository_.commit_file("main.py", "committed");
    ASSERT_TRUE(name_work_tree(repository_.path()));
    ASSERT_TRUE(name_work_tree(repository_.path()));
    fs::create_directory(dir_ / "other");
    fs::create_directory_symlink(repository_.path() / ".git", dir_ / "other/.git");
    repository_.write("main.py", "edited");
    EXPECT_EQ(test::git(dir_ / "other", {"status", "--short"}), "M main.py");
    EXPECT_FALSE(inspect(dir_ / "other")->head.commit.empty());
    // It is where it was for whoever does not know of that.
    EXPECT_TRUE(inspect(repository_.path())->modified);
    EXPECT_EQ(repository_.git({"status", "--short"}), "M main.py");
    // The volume may be mounted elsewhere tomorrow.
    fs::rename(repository_.path(), dir_ / "moved");
    EXPECT_EQ(test::git(dir_ / "moved", {"status", "--short"}), "M main.py");
}

TEST_F(StandInFolder, LeavesAWorkTreeThatSomebodyHasNamed) {
    repository_.commit_file("main.py", "x");
    repository_.git({"config", "core.worktree", "/elsewhere"});
    EXPECT_FALSE(name_work_tree(repository_.path()));
    EXPECT_FALSE(name_work_tree(dir_.path()));
}

}  // namespace
}  // namespace podctl::git

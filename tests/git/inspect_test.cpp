#include "podctl/base/file.hpp"

#include "fixture.hpp"

#include <sys/stat.h>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;

class Inspect : public GitTest {
protected:
    const fs::path& here() const { return work.path(); }
};

TEST_F(Inspect, TellsHeadAndOrigin) {
    work.git({"remote", "add", "origin", "https://git.invalid/pack.git"});
    const auto state = inspect(here());
    ASSERT_TRUE(state);
    EXPECT_EQ(state->head.commit, third);
    EXPECT_EQ(state->head.branch, "main");
    EXPECT_EQ(state->origin, "https://git.invalid/pack.git");
    EXPECT_FALSE(state->modified);
}

TEST_F(Inspect, DoesNotCountUntrackedFiles) {
    work.write("untracked.txt", "u");
    EXPECT_FALSE(inspect(here())->modified);
}

TEST_F(Inspect, CountsChangedContent) {
    work.write("a.txt", "changed\n");
    EXPECT_TRUE(inspect(here())->modified);
}

TEST_F(Inspect, CountsAChangeOfTheSameSizeInTheSameSecond) {
    work.write("a.txt", "thre3\n");
    EXPECT_TRUE(inspect(here())->modified);
}

TEST_F(Inspect, CountsARemovedFile) {
    fs::remove(here() / "a.txt");
    EXPECT_TRUE(inspect(here())->modified);
}

TEST_F(Inspect, CountsAStagedFile) {
    work.write("staged.txt", "s");
    work.git({"add", "staged.txt"});
    EXPECT_TRUE(inspect(here())->modified);
}

TEST_F(Inspect, CountsTheExecutableBitAsGitDoes) {
    fs::permissions(here() / "a.txt", fs::perms{0755});
    EXPECT_TRUE(inspect(here())->modified);
    work.git({"config", "core.fileMode", "false"});
    EXPECT_FALSE(inspect(here())->modified);
}

TEST_F(Inspect, DoesNotCountANewTime) {
    fs::last_write_time(here() / "a.txt", fs::file_time_type::clock::now());
    EXPECT_FALSE(inspect(here())->modified);
}

TEST_F(Inspect, DoesNotLookIntoTheFolderAbove) {
    fs::create_directory(here() / "inner");
    EXPECT_FALSE(inspect(here() / "inner"));
    EXPECT_FALSE(read_head(here() / "inner"));
}

TEST_F(Inspect, FindsNoRepositoryWhereNoneIs) {
    EXPECT_FALSE(inspect(dir / "nowhere"));
    EXPECT_FALSE(inspect(served()));
}

TEST_F(Inspect, OpensARepositoryOfAnotherUser) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    test::git(dir.path(), {"clone", "--quiet", "work", there().string()});
    ASSERT_EQ(::chown(there().c_str(), 65534, 65534), 0);
    ASSERT_EQ(::chown((there() / ".git").c_str(), 65534, 65534), 0);
    EXPECT_EQ(inspect(there())->head.commit, third);
}

TEST_F(Inspect, TellsTheTimeOfHead) {
    EXPECT_EQ(head_time(here()), test::GitRepository::first_commit_time + 3 * 60);
    EXPECT_EQ(error_of([&] { head_time(dir / "nowhere"); })->kind(), ErrorKind::git);
}

class ReadHead : public GitTest {
protected:
    const fs::path& here() const { return work.path(); }
    void write_head(const std::string& content) {
        write_file_atomically(here() / ".git/HEAD", content);
    }
};

TEST_F(ReadHead, FindsALooseBranch) {
    EXPECT_EQ(read_head(here())->commit, third);
    EXPECT_EQ(read_head(here())->branch, "main");
}

TEST_F(ReadHead, FindsAPackedBranch) {
    work.git({"pack-refs", "--all"});
    ASSERT_FALSE(fs::exists(here() / ".git/refs/heads/main"));
    EXPECT_EQ(read_head(here())->commit, third);
}

TEST_F(ReadHead, FindsABranchWithASlash) {
    work.git({"checkout", "--quiet", "-b", "fix/one"});
    EXPECT_EQ(read_head(here())->branch, "fix/one");
}

TEST_F(ReadHead, HasNoBranchWhenDetached) {
    work.git({"checkout", "--quiet", "v1"});
    EXPECT_EQ(read_head(here())->commit, second);
    EXPECT_EQ(read_head(here())->branch, "");
}

TEST_F(ReadHead, FollowsALinkedWorktree) {
    work.git({"worktree", "add", "--quiet", (dir / "linked").string(), "feature"});
    EXPECT_EQ(read_head(dir / "linked")->commit, feature);
    EXPECT_EQ(read_head(dir / "linked")->branch, "feature");
}

TEST_F(ReadHead, IsNothingForAnUnbornBranch) {
    write_head("ref: refs/heads/unborn\n");
    EXPECT_FALSE(read_head(here()));
}

TEST_F(ReadHead, IsNothingForStrangeContents) {
    for (const std::string content :
         {"", "\n", "ref:", "ref: ../../etc/passwd", "ref: refs/heads/../../../x", "deadbeef",
          "\xff\xfe", "ref: HEAD"}) {
        write_head(content);
        EXPECT_FALSE(read_head(here())) << content;
    }
}

TEST_F(ReadHead, IsNothingForALoop) {
    write_file_atomically(here() / ".git/refs/heads/a", "ref: refs/heads/b\n");
    write_file_atomically(here() / ".git/refs/heads/b", "ref: refs/heads/a\n");
    write_head("ref: refs/heads/a\n");
    EXPECT_FALSE(read_head(here()));
}

TEST_F(ReadHead, IsNothingForAFolderNamedHead) {
    fs::remove(here() / ".git/HEAD");
    fs::create_directory(here() / ".git/HEAD");
    EXPECT_FALSE(read_head(here()));
}

TEST_F(ReadHead, IsNothingForAGitFileThatPointsNowhere) {
    write_file_atomically(dir / "strange/.git", "gitdir: /nowhere\n");
    EXPECT_FALSE(read_head(dir / "strange"));
    write_file_atomically(dir / "strange/.git", "something else");
    EXPECT_FALSE(read_head(dir / "strange"));
}

}  // namespace
}  // namespace podctl::git

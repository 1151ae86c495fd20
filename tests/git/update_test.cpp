#include "podctl/base/file.hpp"

#include "fixture.hpp"

namespace podctl::git {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Update : public GitTest {
protected:
    Update() : server(served()) {}
    std::string url() const { return server.url("pack.git"); }
    std::string advance(const std::string& content = "four\n") {
        const auto commit = work.commit_file("a.txt", content);
        publish();
        return commit;
    }
    Error update_error(const std::string& ref = {}) {
        return error_of([&] { update_it(url(), ref); })
            .value_or(Error{ErrorKind::internal, "none"});
    }
    void commit_here(const std::string& message) const {
        in_clone({"commit", "--quiet", "--all", "--allow-empty", "-m", message});
    }
    // What git says of the checkout; the tests leave untracked files.
    void expect_clean() const {
        EXPECT_EQ(in_clone({"status", "--porcelain", "--untracked-files=no"}), "");
        EXPECT_EQ(in_clone({"fsck"}).find("error"), std::string::npos);
        EXPECT_FALSE(fs::exists(there() / ".git/podctl-update"));
    }

    test::GitServer server;
};

TEST_F(Update, MovesTheDefaultBranchForwardAndStaysCut) {
    clone_it(url());
    const auto fourth = advance();
    const auto checkout = update_it(url());
    EXPECT_EQ(checkout.commit, fourth);
    EXPECT_EQ(checkout.branch, "main");
    EXPECT_EQ(read_file(there() / "a.txt"), "four\n");
    EXPECT_EQ(in_clone({"rev-parse", "main", "origin/main"}), fourth + "\n" + fourth);
    EXPECT_EQ(in_clone({"rev-parse", "--is-shallow-repository"}), "true");
    expect_clean();
}

TEST_F(Update, CanBeDoneAgainAndAgain) {
    clone_it(url());
    for (const auto* content : {"5\n", "6\n", "7\n"}) {
        const auto commit = advance(content);
        EXPECT_EQ(update_it(url()).commit, commit);
        expect_clean();
    }
    EXPECT_EQ(update_it(url()).commit, work.head());
}

TEST_F(Update, KeepsUntrackedFiles) {
    clone_it(url());
    write_file_atomically(there() / "models/mine.safetensors", "mine");
    advance();
    update_it(url());
    EXPECT_EQ(read_file(there() / "models/mine.safetensors"), "mine");
    expect_clean();
}

TEST_F(Update, RemovesFilesThatTheNewCommitLacks) {
    clone_it(url());
    work.git({"rm", "--quiet", "sub/b.txt"});
    work.commit();
    publish();
    update_it(url());
    EXPECT_FALSE(fs::exists(there() / "sub"));
    expect_clean();
}

TEST_F(Update, RefusesModifiedFilesAndNamesThem) {
    clone_it(url());
    advance();
    write_file_atomically(there() / "a.txt", "mine\n");
    const auto error = update_error();
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), HasSubstr("a.txt"));
    EXPECT_EQ(read_file(there() / "a.txt"), "mine\n");
    EXPECT_EQ(read_head(there())->commit, third);
}

TEST_F(Update, NamesAtMostFiveModifiedFiles) {
    for (int i = 0; i < 9; ++i)
        work.write("file" + std::to_string(i), "x");
    work.commit();
    publish();
    clone_it(url());
    for (int i = 0; i < 9; ++i) {
        write_file_atomically(there() / ("file" + std::to_string(i)), "mine");
        work.write("file" + std::to_string(i), "theirs");
    }
    work.commit();
    publish();
    const auto message = update_error().message();
    EXPECT_THAT(message, HasSubstr("file4 and 4 more"));
    EXPECT_THAT(message, testing::Not(HasSubstr("file5")));
}

TEST_F(Update, RefusesToOverwriteAnUntrackedFile) {
    clone_it(url());
    write_file_atomically(there() / "new.txt", "mine");
    work.commit_file("new.txt", "theirs");
    publish();
    const auto error = update_error();
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), HasSubstr("new.txt"));
    EXPECT_EQ(read_file(there() / "new.txt"), "mine");
    EXPECT_EQ(read_head(there())->commit, third);
    expect_clean();
}

TEST_F(Update, FollowsABranchThatWasRewritten) {
    clone_it(url());
    work.git({"reset", "--quiet", "--hard", second});
    const auto rewritten = advance("rewritten\n");
    EXPECT_EQ(update_it(url()).commit, rewritten);
    expect_clean();
}

TEST_F(Update, RefusesToLeaveCommitsBehindThatAreOnlyHere) {
    clone_it(url());
    write_file_atomically(there() / "a.txt", "mine\n");
    commit_here("mine");
    const auto mine = in_clone({"rev-parse", "HEAD"});
    advance();
    const auto error = update_error();
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), HasSubstr("branch main has commits of its own"));
    EXPECT_EQ(in_clone({"rev-parse", "main"}), mine);
    EXPECT_EQ(read_file(there() / "a.txt"), "mine\n");
}

TEST_F(Update, RefusesToLeaveCommitsOfADetachedHeadBehind) {
    clone_it(url(), "v1");
    commit_here("mine");
    const auto error = update_error();
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), HasSubstr("detached HEAD"));
}

TEST_F(Update, LeavesCommitsOfAnotherBranchWhereTheyAre) {
    clone_it(url());
    in_clone({"checkout", "--quiet", "-b", "mine"});
    commit_here("mine");
    const auto mine = in_clone({"rev-parse", "HEAD"});
    EXPECT_EQ(update_it(url()).branch, "main");
    EXPECT_EQ(in_clone({"rev-parse", "mine"}), mine);
}

TEST_F(Update, MovesFromABranchToATagAndBack) {
    clone_it(url());
    EXPECT_EQ(update_it(url(), "v1").commit, second);
    EXPECT_EQ(read_head(there())->branch, "");
    EXPECT_EQ(read_file(there() / "a.txt"), "one\n");
    expect_clean();
    EXPECT_EQ(update_it(url()).commit, third);
    EXPECT_EQ(read_head(there())->branch, "main");
    expect_clean();
}

TEST_F(Update, MovesToANewBranchThatGitCanPull) {
    clone_it(url(), "v1");
    EXPECT_EQ(update_it(url(), "feature").commit, feature);
    EXPECT_EQ(in_clone({"rev-parse", "--abbrev-ref", "HEAD@{upstream}"}), "origin/feature");
    in_clone({"pull", "--ff-only"});
    expect_clean();
}

TEST_F(Update, MovesToACommitThatTheServerRefusesToNameByGettingAllOfIt) {
    clone_it(url());
    advance();
    advance("five\n");
    EXPECT_EQ(update_it(url(), second).commit, second);
    expect_clean();
}

TEST_F(Update, MovesToAnAbbreviatedCommit) {
    clone_it(url());
    EXPECT_EQ(update_it(url(), first.substr(0, 9)).commit, first);
    expect_clean();
}

TEST_F(Update, AsksNoServerForACommitThatIsHere) {
    clone_it(bare().string());
    EXPECT_EQ(
        update({.checkout = there(), .url = bare().string(), .ref = first}, network, {}, {}).commit,
        first);
    const auto asked = server.http().requests().size();
    in_clone({"remote", "set-url", "origin", url()});
    EXPECT_EQ(update_it(url(), third).commit, third);
    EXPECT_EQ(server.http().requests().size(), asked);
}

TEST_F(Update, KeepsAWholeRepositoryWhole) {
    clone_it(bare().string());
    in_clone({"remote", "set-url", "origin", url()});
    const auto fourth = advance();
    EXPECT_EQ(update_it(url()).commit, fourth);
    EXPECT_EQ(in_clone({"rev-list", "--count", "HEAD"}), "4");
    EXPECT_EQ(in_clone({"rev-parse", "--is-shallow-repository"}), "false");
    expect_clean();
}

TEST_F(Update, WorksOnACloneThatGitMade) {
    test::git(dir.path(), {"clone", "--quiet", "--depth=1", url(), there().string()});
    const auto fourth = advance();
    EXPECT_EQ(update_it(url()).commit, fourth);
    expect_clean();
}

TEST_F(Update, GoesThroughAMirror) {
    mirrors = Mirrors{{{"https://git.invalid/", server.prefix()}}};
    clone_it("https://git.invalid/pack.git");
    const auto fourth = advance();
    EXPECT_EQ(update_it("https://git.invalid/pack.git").commit, fourth);
    EXPECT_EQ(inspect(there())->origin, "https://git.invalid/pack.git");
}

TEST_F(Update, RefusesACloneOfAnotherRepository) {
    clone_it(url());
    const auto error = error_of([&] { update_it("https://git.invalid/other.git"); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::conflict);
    EXPECT_THAT(error->message(), HasSubstr("https://git.invalid/other.git"));
}

TEST_F(Update, RefusesAFolderThatIsNoRepository) {
    write_file_atomically(there() / "file", "");
    EXPECT_EQ(update_error().kind(), ErrorKind::git);
}

TEST_F(Update, LeavesEverythingWhenTheServerFails) {
    clone_it(url());
    const auto error = error_of([&] { update_it(url(), "no-such-branch"); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::not_found);
    EXPECT_EQ(read_head(there())->commit, third);
    expect_clean();
}

// What a kill in the middle of the checkout leaves: the note, a lock, one file of the new commit
// whole, one torn, one new, and one removed.
class KilledUpdate : public Update {
protected:
    void leave_half_way() {
        clone_it(url());
        work.write("a.txt", "the new content\n");
        work.write("new.txt", "new\n");
        work.write("tool.sh", "#!/bin/sh\nexit 1\n");
        work.git({"rm", "--quiet", "sub/b.txt"});
        newest = work.commit();
        publish();
        in_clone({"fetch", "--quiet", "--depth=1"});
        write_file_atomically(there() / ".git/podctl-update", newest + "\n");
        write_file_atomically(there() / ".git/index.lock", "");
        write_file_atomically(there() / "a.txt", "the new");
        write_file_atomically(there() / "new.txt", "new\n");
        fs::remove(there() / "tool.sh");
        fs::remove_all(there() / "sub");
    }
    std::string newest;
};

TEST_F(KilledUpdate, IsNotTakenForTheUsersChanges) {
    leave_half_way();
    EXPECT_FALSE(inspect(there())->modified);
    EXPECT_EQ(inspect(there())->head.commit, third);
}

TEST_F(KilledUpdate, IsFinishedByTheNext) {
    leave_half_way();
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_EQ(read_file(there() / "a.txt"), "the new content\n");
    EXPECT_EQ(read_file(there() / "tool.sh"), "#!/bin/sh\nexit 1\n");
    expect_clean();
}

TEST_F(KilledUpdate, IsFinishedByOneThatGoesElsewhere) {
    leave_half_way();
    EXPECT_EQ(update_it(url(), "v1").commit, second);
    EXPECT_EQ(read_file(there() / "a.txt"), "one\n");
    expect_clean();
}

TEST_F(KilledUpdate, IsUndoneByOneThatGoesBack) {
    leave_half_way();
    EXPECT_EQ(update_it(url(), third).commit, third);
    EXPECT_EQ(read_file(there() / "a.txt"), "three\n");
    expect_clean();
}

// libgit2 1.8 writes the new cut alone, and a kill may come before the old ones are put back.
TEST_F(KilledUpdate, LosesNoCutOfTheHistory) {
    clone_it(url());
    const auto newest_commit = advance();
    in_clone({"fetch", "--quiet", "--depth=1"});
    write_file_atomically(there() / ".git/podctl-shallow", third + "\n");
    write_file_atomically(there() / ".git/shallow", newest_commit + "\n");
    EXPECT_EQ(update_it(url()).commit, newest_commit);
    EXPECT_THAT(read_file(there() / ".git/shallow"), HasSubstr(third));
    expect_clean();
}

TEST_F(KilledUpdate, StillKnowsTheUsersChanges) {
    leave_half_way();
    write_file_atomically(there() / "link2", "mine");
    write_file_atomically(there() / "a.txt", "mine\n");
    EXPECT_TRUE(inspect(there())->modified);
    EXPECT_EQ(update_error().kind(), ErrorKind::conflict);
    EXPECT_EQ(read_file(there() / "a.txt"), "mine\n");
}

}  // namespace
}  // namespace podctl::git

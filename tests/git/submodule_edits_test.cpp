#include "podctl/base/file.hpp"

#include "fixture.hpp"

namespace podctl::git {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// parent.git has pack.git as the submodule part, at the second commit; a newer commit of it may be
// half-way here, as a kill leaves it.
class SubmoduleCommits : public GitTest {
protected:
    SubmoduleCommits() : parent(dir / "parent") {
        parent.write("parent.txt", "p\n");
        parent.write(".gitmodules", "[submodule \"part\"]\n\tpath = part\n\turl = ../pack.git\n");
        publish_parent(second);
        clone_it(url());
        in_part({"fetch", "--quiet", "origin", third});
        before = parent.head();
    }
    std::string url() const { return (served() / "parent.git").string(); }
    // Everything else that stands in its folder goes into the commit, too.
    std::string publish_parent(const std::string& link, const std::string& path = "part") {
        fs::create_directories(parent.path() / path);
        parent.git({"add", "."});
        parent.git({"update-index", "--add", "--cacheinfo", "160000," + link + "," + path});
        parent.git({"commit", "--quiet", "-m", "link"});
        parent.publish(url());
        return parent.head();
    }
    // A kill after the superproject's own files were written, and before HEAD moved.
    void leave_half_way(const std::string& newest) const {
        in_clone({"fetch", "--quiet", "origin"});
        in_clone({"checkout", "--quiet", "--detach", newest});
        in_clone({"symbolic-ref", "HEAD", "refs/heads/main"});
        write_file_atomically(there() / ".git/podctl-update", newest + "\n");
    }
    std::string in_part(const std::vector<std::string>& arguments) const {
        return test::git(there() / "part", arguments);
    }
    std::string commit_in_part() const {
        in_part({"commit", "--quiet", "--allow-empty", "-m", "mine"});
        return in_part({"rev-parse", "HEAD"});
    }
    std::string head_of_part() const { return read_head(there() / "part")->commit; }
    void expect_conflict_at_part(const std::string& ref = {}) {
        const auto error =
            error_of([&] { update_it(url(), ref); }).value_or(Error{ErrorKind::internal, "none"});
        EXPECT_EQ(error.kind(), ErrorKind::conflict);
        EXPECT_THAT(error.message(), HasSubstr("changed here by hand: part"));
    }

    test::GitRepository parent;
    std::string before;
};

TEST_F(SubmoduleCommits, AreKeptWhereAKilledUpdateThatDoesNotMoveItIsFinished) {
    const auto mine = commit_in_part();
    parent.write("parent.txt", "new\n");
    const auto newest = publish_parent(second);
    leave_half_way(newest);
    EXPECT_TRUE(inspect(there())->modified);
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_EQ(head_of_part(), mine);
    EXPECT_EQ(update_it(url(), before).commit, before);
    EXPECT_EQ(head_of_part(), mine);
}

TEST_F(SubmoduleCommits, AreAConflictWhereAKilledUpdateWouldMoveIt) {
    leave_half_way(publish_parent(third));
    const auto mine = commit_in_part();
    EXPECT_TRUE(inspect(there())->modified);
    expect_conflict_at_part();
    EXPECT_EQ(head_of_part(), mine);
    EXPECT_EQ(read_head(there())->commit, before);
    EXPECT_TRUE(is_update_pending(there()));
}

TEST_F(SubmoduleCommits, OnTopOfWhereAKilledUpdateMovedItAreKept) {
    const auto newest = publish_parent(third);
    leave_half_way(newest);
    in_part({"checkout", "--quiet", third});
    const auto mine = commit_in_part();
    expect_conflict_at_part(before);
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_EQ(head_of_part(), mine);
    EXPECT_FALSE(is_update_pending(there()));
}

TEST_F(SubmoduleCommits, AreNotWhatAKilledUpdateItselfMovedTo) {
    leave_half_way(publish_parent(third));
    in_part({"checkout", "--quiet", third});
    EXPECT_FALSE(inspect(there())->modified);
    EXPECT_EQ(update_it(url(), before).commit, before);
    EXPECT_EQ(head_of_part(), second);
}

TEST_F(SubmoduleCommits, AreNotWhatTheSubmodulesOwnNoteNames) {
    const auto newest = publish_parent(third);
    leave_half_way(newest);
    const auto other = work.commit_file("a.txt", "four\n");
    publish();
    in_part({"fetch", "--quiet", "origin", other});
    in_part({"checkout", "--quiet", other});
    write_file_atomically(there() / ".git/modules/part/podctl-update", other + "\n");
    EXPECT_FALSE(inspect(there())->modified);
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_EQ(head_of_part(), third);
}

TEST_F(SubmoduleCommits, ThatAreStagedAreStillTheUsers) {
    const auto mine = commit_in_part();
    in_clone({"add", "part"});
    EXPECT_TRUE(inspect(there())->modified);
    publish_parent(third);
    expect_conflict_at_part();
    EXPECT_EQ(head_of_part(), mine);
}

TEST_F(SubmoduleCommits, OfASubmoduleThatIsNoLongerStagedAreStillTheUsers) {
    const auto mine = commit_in_part();
    in_clone({"rm", "--quiet", "--cached", "part"});
    publish_parent(third);
    expect_conflict_at_part();
    EXPECT_EQ(head_of_part(), mine);
}

TEST_F(SubmoduleCommits, ThatItsSuperprojectGoesToAreInNobodysWay) {
    in_part({"checkout", "--quiet", third});
    const auto newest = publish_parent(third);
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_EQ(head_of_part(), third);
    EXPECT_FALSE(inspect(there())->modified);
}

TEST_F(SubmoduleCommits, OfARepositoryOfTheUsersAreKeptWhereASubmoduleIsToStand) {
    test::GitRepository own{there() / "own"};
    const auto mine = own.commit_file("mine.txt", "mine\n");
    parent.write(".gitmodules",
                 "[submodule \"part\"]\n\tpath = part\n\turl = ../pack.git\n"
                 "[submodule \"own\"]\n\tpath = own\n\turl = ../pack.git\n");
    publish_parent(third, "own");
    const auto error =
        error_of([&] { update_it(url()); }).value_or(Error{ErrorKind::internal, "none"});
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), HasSubstr("own"));
    EXPECT_EQ(read_head(there() / "own")->commit, mine);
    EXPECT_EQ(read_file(there() / "own/mine.txt"), "mine\n");
}

// Its repository stays in the superproject's .git, with what the user has there.
TEST_F(SubmoduleCommits, OfABranchOutlastTheSubmodulesFolder) {
    const auto mine = commit_in_part();
    in_part({"branch", "mine"});
    in_part({"checkout", "--quiet", second});
    fs::remove_all(there() / "part");
    update_it(url());
    EXPECT_EQ(head_of_part(), second);
    EXPECT_EQ(read_file(there() / "part/a.txt"), "one\n");
    EXPECT_EQ(in_part({"rev-parse", "mine"}), mine);
    EXPECT_EQ(in_clone({"status", "--porcelain"}), "");
}

TEST_F(SubmoduleCommits, OfABranchGoWithASubmoduleThatMoves) {
    const auto mine = commit_in_part();
    in_part({"branch", "mine"});
    in_part({"checkout", "--quiet", second});
    parent.git({"mv", "part", "elsewhere"});
    parent.git({"commit", "--quiet", "-m", "move"});
    parent.publish(url());
    update_it(url());
    EXPECT_EQ(in_clone({"-C", "elsewhere", "rev-parse", "HEAD"}), second);
    EXPECT_EQ(in_clone({"-C", "elsewhere", "rev-parse", "mine"}), mine);
    EXPECT_EQ(in_clone({"status", "--porcelain"}), "");
    // The pod's volume may be mounted elsewhere.
    fs::rename(there(), dir / "moved");
    EXPECT_EQ(test::git(dir / "moved/elsewhere", {"status", "--porcelain"}), "");
}

// part has a submodule of its own, deep, which cannot be had at first: what that leaves is what a
// kill between the two leaves.
class SubmoduleOfASubmodule : public SubmoduleCommits {
protected:
    SubmoduleOfASubmodule() : deep(dir / "deep"), old_deep(deep.commit_file("deep.txt", "old\n")) {
        work.write(".gitmodules", "[submodule \"deep\"]\n\tpath = deep\n\turl = ../deep.git\n");
        fs::create_directories(work.path() / "deep");
    }
    void publish_deep() const { deep.publish(served() / "deep.git"); }
    std::string publish_part(const std::string& link) {
        work.git({"add", ".gitmodules"});
        work.git({"update-index", "--add", "--cacheinfo", "160000," + link + ",deep"});
        work.git({"commit", "--quiet", "-m", "deep"});
        publish();
        publish_parent(work.head());
        return work.head();
    }
    std::string head_of_deep() const { return read_head(there() / "part/deep")->commit; }
    void expect_whole(const std::string& part_commit, const std::string& deep_commit) {
        EXPECT_FALSE(inspect(there())->modified);
        EXPECT_EQ(update_it(url()).commit, parent.head());
        EXPECT_EQ(head_of_part(), part_commit);
        EXPECT_EQ(head_of_deep(), deep_commit);
        EXPECT_EQ(in_clone({"status", "--porcelain"}), "");
        EXPECT_FALSE(fs::exists(there() / ".git/modules/part/podctl-update"));
    }
    test::GitRepository deep;
    std::string old_deep;
};

TEST_F(SubmoduleOfASubmodule, MovesOnAfterAKillBetweenTheTwo) {
    publish_deep();
    publish_part(old_deep);
    update_it(url());
    const auto new_deep = deep.commit_file("deep.txt", "new\n");
    const auto newest = publish_part(new_deep);
    EXPECT_TRUE(error_of([&] { update_it(url()); }));
    publish_deep();
    expect_whole(newest, new_deep);
}

TEST_F(SubmoduleOfASubmodule, KeepsCommitsAfterAKillBetweenTheTwo) {
    publish_deep();
    publish_part(old_deep);
    update_it(url());
    publish_part(deep.commit_file("deep.txt", "new\n"));
    EXPECT_TRUE(error_of([&] { update_it(url()); }));
    publish_deep();
    test::git(there() / "part/deep", {"commit", "--quiet", "--allow-empty", "-m", "mine"});
    const auto mine = head_of_deep();
    const auto error =
        error_of([&] { update_it(url()); }).value_or(Error{ErrorKind::internal, "none"});
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), HasSubstr("part/deep (at " + mine.substr(0, 10)));
    EXPECT_EQ(head_of_deep(), mine);
}

TEST_F(SubmoduleOfASubmodule, IsBroughtWhereBothAreNewAfterAKillBetweenTheTwo) {
    fs::remove_all(there());
    parent.git({"rm", "--quiet", "--cached", "part"});
    parent.git({"commit", "--quiet", "-m", "without"});
    parent.publish(url());
    clone_it(url());
    const auto newest = publish_part(old_deep);
    EXPECT_TRUE(error_of([&] { update_it(url()); }));
    EXPECT_EQ(head_of_part(), newest);
    publish_deep();
    expect_whole(newest, old_deep);
}

}  // namespace
}  // namespace podctl::git

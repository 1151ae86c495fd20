#include "podctl/base/file.hpp"

#include "fixture.hpp"

namespace podctl::git {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// parent.git has the submodule libs/middle by a relative URL, which has deep by an absolute one.
class SubmoduleTest : public GitTest {
protected:
    SubmoduleTest() : middle(dir / "middle"), parent(dir / "parent") {
        deep_commit = third;
        middle.write("middle.txt", "m\n");
        add(middle, "deep", "https://git.invalid/pack.git", third);
        middle_commit = middle.commit();
        middle.publish(served() / "middle.git");
        parent.write("parent.txt", "p\n");
        add(parent, "libs/middle", "../middle.git", middle_commit);
        parent_commit = parent.commit();
        parent.publish(served() / "parent.git");
    }

    // As `git submodule add` does, without a clone.
    static void add(test::GitRepository& repository, const std::string& path,
                    const std::string& url, const std::string& commit) {
        const std::string key = "submodule." + path;
        repository.git({"config", "-f", ".gitmodules", key + ".path", path});
        repository.git({"config", "-f", ".gitmodules", key + ".url", url});
        link(repository, path, commit);
    }
    static void link(test::GitRepository& repository, const std::string& path,
                     const std::string& commit) {
        fs::create_directories(repository.path() / path);
        repository.git({"update-index", "--add", "--cacheinfo", "160000," + commit + "," + path});
    }
    void mirror_to(const test::GitServer& server) {
        mirrors = Mirrors{{{"https://git.invalid/", server.prefix()}}};
    }
    Error clone_parent_error(const std::string& url) {
        return error_of([&] { clone_it(url); }).value_or(Error{ErrorKind::internal, "none"});
    }

    test::GitRepository middle, parent;
    std::string deep_commit, middle_commit, parent_commit;
};

TEST_F(SubmoduleTest, ComeRecursivelyThroughTheMirrors) {
    test::GitServer server{served()};
    mirror_to(server);
    EXPECT_EQ(clone_it("https://git.invalid/parent.git").commit, parent_commit);
    EXPECT_EQ(read_head(there() / "libs/middle")->commit, middle_commit);
    EXPECT_EQ(read_head(there() / "libs/middle/deep")->commit, deep_commit);
    EXPECT_EQ(read_file(there() / "libs/middle/deep/a.txt"), "three\n");
    EXPECT_THAT(notices, testing::IsEmpty());
    expect_sound();
}

TEST_F(SubmoduleTest, KeepTheUrlsOfTheRepositoryAndNotTheMirrors) {
    test::GitServer server{served()};
    mirror_to(server);
    clone_it("https://git.invalid/parent.git");
    EXPECT_EQ(in_clone({"-C", "libs/middle", "remote", "get-url", "origin"}),
              "https://git.invalid/middle.git");
    EXPECT_EQ(in_clone({"config", "submodule.libs/middle.url"}), "https://git.invalid/middle.git");
    EXPECT_EQ(in_clone({"-C", "libs/middle/deep", "remote", "get-url", "origin"}),
              "https://git.invalid/pack.git");
}

TEST_F(SubmoduleTest, AreWhatGitItselfExpects) {
    test::GitServer server{served()};
    mirror_to(server);
    clone_it("https://git.invalid/parent.git");
    EXPECT_THAT(in_clone({"submodule", "status", "--recursive"}),
                testing::AllOf(testing::StartsWith(middle_commit + " libs/middle"),
                               HasSubstr("\n " + deep_commit + " libs/middle/deep")));
    test::git(there(), {"submodule", "update", "--init", "--recursive"},
              child_environment(mirrors));
    EXPECT_EQ(in_clone({"-C", "libs/middle", "status", "--porcelain"}), "");
}

TEST_F(SubmoduleTest, AreCutWhereTheirCommitIsATip) {
    test::GitServer server{served()};
    mirror_to(server);
    clone_it("https://git.invalid/parent.git");
    EXPECT_EQ(in_clone({"-C", "libs/middle/deep", "rev-list", "--count", "HEAD"}), "1");
}

TEST_F(SubmoduleTest, ComeWholeWhereTheServerRefusesTheirCommit) {
    work.commit_file("a.txt", "four\n");
    publish();
    test::GitServer server{served()};
    mirror_to(server);
    clone_it("https://git.invalid/parent.git");
    EXPECT_EQ(read_head(there() / "libs/middle/deep")->commit, deep_commit);
}

TEST_F(SubmoduleTest, WhoseCommitIsGoneAreToldByPathAndCommit) {
    const std::string gone(40, 'a');
    link(parent, "libs/middle", gone);
    parent.commit();
    parent.publish(served() / "parent.git");
    test::GitServer server{served()};
    mirror_to(server);
    const auto error = clone_parent_error("https://git.invalid/parent.git");
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.message(),
                testing::AllOf(
                    HasSubstr("https://git.invalid/parent.git: submodule libs/middle at " + gone),
                    HasSubstr("no branch, tag or commit " + gone)));
    EXPECT_THAT(error.hint(),
                testing::AllOf(HasSubstr("another ref: main"), HasSubstr("`submodules: false`")));
}

TEST_F(SubmoduleTest, ThatCannotBeHadAreToldByPath) {
    add(parent, "libs/away", "../away.git", middle_commit);
    parent.commit();
    parent.publish(served() / "parent.git");
    test::GitServer server{served()};
    mirror_to(server);
    const auto error = clone_parent_error("https://git.invalid/parent.git");
    EXPECT_THAT(error.message(), HasSubstr("submodule libs/away at"));
    EXPECT_THAT(error.hint(), HasSubstr("`submodules: false`"));
}

TEST_F(SubmoduleTest, AreLeftOutWhenNotWanted) {
    auto wanted = request((served() / "parent.git").string());
    wanted.submodules = Submodules::no;
    clone(wanted, network, monitor(), {});
    EXPECT_TRUE(fs::is_empty(there() / "libs/middle"));
}

TEST_F(SubmoduleTest, DeclaredWithoutACommitAreANotice) {
    parent.git({"config", "-f", ".gitmodules", "submodule.gone.path", "gone"});
    parent.git({"config", "-f", ".gitmodules", "submodule.gone.url", "../gone.git"});
    parent.git({"config", "-f", ".gitmodules", "--remove-section", "submodule.libs/middle"});
    link(parent, "stray", third);
    const auto commit = parent.commit();
    parent.publish(served() / "parent.git");
    EXPECT_EQ(clone_it((served() / "parent.git").string()).commit, commit);
    EXPECT_THAT(notices, testing::UnorderedElementsAre(HasSubstr("declares gone"),
                                                       HasSubstr("stray is a submodule without"),
                                                       HasSubstr("libs/middle is a submodule")));
}

TEST_F(SubmoduleTest, WithANameThatLeadsOutOfTheRepositoryAreRefused) {
    parent.git({"config", "-f", ".gitmodules", "submodule.../../x.path", "libs/middle"});
    parent.git({"config", "-f", ".gitmodules", "submodule.../../x.url", "../middle.git"});
    parent.commit();
    parent.publish(served() / "parent.git");
    const auto error = clone_parent_error((served() / "parent.git").string());
    EXPECT_EQ(error.kind(), ErrorKind::git);
    EXPECT_THAT(error.message(), HasSubstr("leads out of the repository"));
    EXPECT_FALSE(fs::exists(there()));
}

TEST_F(SubmoduleTest, AreNotKeptInEachOthersRepositories) {
    parent.git({"config", "-f", ".gitmodules", "submodule.libs/middle/hooks.path", "other"});
    parent.git({"config", "-f", ".gitmodules", "submodule.libs/middle/hooks.url", "../pack.git"});
    link(parent, "other", third);
    parent.commit();
    parent.publish(served() / "parent.git");
    const auto error = clone_parent_error((served() / "parent.git").string());
    EXPECT_EQ(error.kind(), ErrorKind::git);
    EXPECT_THAT(error.message(), HasSubstr("libs/middle/hooks"));
}

TEST_F(SubmoduleTest, FromAServerMayNotReadTheLocalDisk) {
    parent.git({"config", "-f", ".gitmodules", "submodule.libs/middle.url", bare().string()});
    parent.commit();
    parent.publish(served() / "parent.git");
    test::GitServer server{served()};
    const auto error = clone_parent_error(server.url("parent.git"));
    EXPECT_EQ(error.kind(), ErrorKind::git);
    EXPECT_THAT(error.message(), HasSubstr("local disk"));
}

TEST_F(SubmoduleTest, ThatAreMissingFailTheClone) {
    test::GitServer server{served()};
    mirror_to(server);
    fs::remove_all(bare());
    EXPECT_EQ(clone_parent_error("https://git.invalid/parent.git").kind(), ErrorKind::not_found);
    EXPECT_FALSE(fs::exists(there()));
}

TEST_F(SubmoduleTest, MoveWithAnUpdate) {
    test::GitServer server{served()};
    mirror_to(server);
    clone_it("https://git.invalid/parent.git");
    const auto newer = middle.commit_file("middle.txt", "newer\n");
    middle.publish(served() / "middle.git");
    link(parent, "libs/middle", newer);
    parent.git({"commit", "--quiet", "-m", "move"});
    parent.publish(served() / "parent.git");
    EXPECT_EQ(update_it("https://git.invalid/parent.git").commit, parent.head());
    EXPECT_EQ(read_head(there() / "libs/middle")->commit, newer);
    EXPECT_EQ(read_file(there() / "libs/middle/middle.txt"), "newer\n");
    expect_sound();
}

TEST_F(SubmoduleTest, ThatAKillLeftHalfWayAreClonedAgainByAnUpdate) {
    test::GitServer server{served()};
    mirror_to(server);
    clone_it("https://git.invalid/parent.git");
    fs::remove(there() / ".git/modules/libs/middle/HEAD");
    fs::remove(there() / "libs/middle/.git");
    fs::remove_all(there() / "libs/middle");
    fs::create_directories(there() / "libs/middle");
    parent.commit_file("parent.txt", "new\n");
    parent.publish(served() / "parent.git");
    update_it("https://git.invalid/parent.git");
    EXPECT_EQ(read_head(there() / "libs/middle")->commit, middle_commit);
    EXPECT_EQ(read_head(there() / "libs/middle/deep")->commit, deep_commit);
    expect_sound();
}

TEST_F(SubmoduleTest, ThatStandElsewhereCountAsModified) {
    test::GitServer server{served()};
    mirror_to(server);
    clone_it("https://git.invalid/parent.git");
    EXPECT_FALSE(inspect(there())->modified);
    write_file_atomically(there() / "libs/middle/deep/new.txt", "untracked");
    EXPECT_FALSE(inspect(there())->modified);
    write_file_atomically(there() / "libs/middle/deep/a.txt", "changed");
    EXPECT_TRUE(inspect(there())->modified);
}

TEST_F(SubmoduleTest, AreNotReadFromAFileThatTheirDeclarationsInclude) {
    write_file_atomically(dir / "outside",
                          "[submodule \"x\"]\n\tpath = x\n\turl = https://git.invalid/pack.git\n");
    for (const std::string header :
         {"[include]\n\t", "[Include] ", "[a][ include]", "[includeIf \"gitdir:/\"]\n"}) {
        parent.write(".gitmodules", header + "path = " + (dir / "outside").string() + "\n");
        link(parent, "x", third);
        parent.commit();
        parent.publish(served() / "parent.git");
        test::GitServer server{served()};
        mirror_to(server);
        const auto error = clone_parent_error("https://git.invalid/parent.git");
        EXPECT_EQ(error.kind(), ErrorKind::git) << header;
        EXPECT_THAT(error.message(), HasSubstr("includes another file")) << header;
        EXPECT_FALSE(fs::exists(there()));
    }
}

TEST_F(SubmoduleTest, AreNotAsManyAsTheirRepositoryLikes) {
    std::string declarations;
    for (int i = 0; i < 1'001; ++i)
        declarations += "[submodule \"s" + std::to_string(i) + "\"]\npath = p\n";
    parent.write(".gitmodules", declarations);
    parent.commit();
    parent.publish(served() / "parent.git");
    const auto error = clone_parent_error((served() / "parent.git").string());
    EXPECT_EQ(error.kind(), ErrorKind::git);
    EXPECT_THAT(error.message(), HasSubstr("more than 1000 submodules"));
    parent.write(".gitmodules", std::string(2u << 20, '\n'));
    parent.commit();
    parent.publish(served() / "parent.git");
    const auto large = clone_parent_error((served() / "parent.git").string());
    EXPECT_THAT(large.message(), HasSubstr("2097152 bytes"));
}

// Each names the one before, so that the last has nine below it.
TEST_F(SubmoduleTest, AreNotNestedWithoutAnEnd) {
    std::string below = third, url = "../pack.git";
    for (int i = 0; i < 9; ++i) {
        const std::string name = "nested" + std::to_string(i) + ".git";
        test::GitRepository repository{dir / name};
        add(repository, "s", url, below);
        below = repository.commit();
        repository.publish(served() / name);
        url = "../" + name;
    }
    const auto error = clone_parent_error((served() / "nested8.git").string());
    EXPECT_EQ(error.kind(), ErrorKind::git);
    EXPECT_THAT(error.message(), HasSubstr("nested more than 8 deep"));
    EXPECT_EQ(clone_it((served() / "nested7.git").string()).branch, "main");
}

TEST_F(SubmoduleTest, WithAnEndlessNameAreToldInShort) {
    const std::string name(100'000, 'n');
    parent.write(".gitmodules", "[submodule \"../" + name + "\"]\npath = libs/middle\nurl = ..\n");
    parent.commit();
    parent.publish(served() / "parent.git");
    EXPECT_LT(clone_parent_error((served() / "parent.git").string()).message().size(), 2'000u);
}

}  // namespace
}  // namespace podctl::git

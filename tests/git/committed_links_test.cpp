#include "podctl/base/beneath.hpp"
#include "podctl/base/file.hpp"

#include "fixture.hpp"

namespace podctl::git {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A repository whose commit has links, cloned, with the judge that podctl has.
class CommittedLink : public GitTest {
protected:
    CommittedLink() { judge_links_by(reason_against_link); }
    ~CommittedLink() override { judge_links_by({}); }

    void commit_link(const fs::path& target, const fs::path& name) const {
        fs::create_directories((work.path() / name).parent_path());
        fs::create_symlink(target, work.path() / name);
    }
    void clone_work() {
        fs::create_directories(outside);
        work.commit();
        publish();
        clone_it(bare().string());
    }
    std::string reason(const fs::path& name) const {
        return reason_against_link(there() / name, dir.path());
    }

    const fs::path outside = dir / "outside";
};

TEST_F(CommittedLink, ThatLeadsOutOfTheCheckoutIsNotWrittenThrough) {
    commit_link(outside, "models");
    commit_link("../../outside", "a/models");
    clone_work();
    for (const char* name : {"models", "a/models"}) {
        const auto error =
            error_of([&] { write_file_atomically(there() / name / "model.bin", "bytes"); });
        ASSERT_TRUE(error) << name;
        EXPECT_EQ(error->kind(), ErrorKind::conflict);
        EXPECT_THAT(error->message(), HasSubstr("a commit has brought"));
        EXPECT_THAT(error_of([&] { create_folders(there() / name / "new/folder"); }),
                    testing::Optional(testing::Property(&Error::kind, ErrorKind::conflict)));
    }
    EXPECT_TRUE(fs::is_empty(outside));
}

TEST_F(CommittedLink, LeadsOutInWhateverWayItSaysSo) {
    const fs::path targets[] = {"..",   "../there/sub", "sub/../../outside",
                                "/",    "sub/../..",    there() / "sub",
                                ".git", "./.GIT/hooks"};
    int count = 0;
    for (const auto& target : targets)
        commit_link(target, std::to_string(count++));
    clone_work();
    for (int i = 0; i < count; ++i)
        EXPECT_THAT(reason(std::to_string(i)), HasSubstr("out of its checkout")) << targets[i];
}

TEST_F(CommittedLink, ThatStaysInTheCheckoutIsFollowed) {
    commit_link("sub", "models");
    commit_link("../sub", "a/models");
    clone_work();
    write_file_atomically(there() / "models/one.bin", "bytes");
    write_file_atomically(there() / "a/models/two.bin", "bytes");
    EXPECT_TRUE(fs::exists(there() / "sub/one.bin"));
    EXPECT_TRUE(fs::exists(there() / "sub/two.bin"));
}

TEST_F(CommittedLink, OfASubmoduleIsOneToo) {
    commit_link(outside, "models");
    work.commit();
    publish();
    fs::create_directories(outside);
    test::GitRepository parent{dir / "parent"};
    parent.write(".gitmodules", "[submodule \"s\"]\npath = s\nurl = ./pack.git\n");
    parent.git({"update-index", "--add", "--cacheinfo", "160000," + work.head() + ",s"});
    fs::create_directories(parent.path() / "s");
    parent.commit();
    parent.publish(served() / "parent.git");
    auto with_submodule = request((served() / "parent.git").string());
    mirrors = Mirrors{{{(served() / "parent.git/pack.git").string(), bare().string()}}};
    clone(with_submodule, network, monitor(), {});
    EXPECT_THAT(reason("s/models"), Not(IsEmpty()));
}

TEST_F(CommittedLink, IsNotTheUsersOwnInPlaceOfACommittedFolder) {
    clone_work();
    fs::remove_all(there() / "sub");
    fs::create_symlink(outside, there() / "sub");
    fs::create_symlink(outside, there() / "mine");
    write_file_atomically(there() / "sub/one.bin", "bytes");
    write_file_atomically(there() / "mine/two.bin", "bytes");
    EXPECT_TRUE(fs::exists(outside / "one.bin"));
    EXPECT_TRUE(fs::exists(outside / "two.bin"));
}

TEST_F(CommittedLink, IsNotTheUsersOwnThatLeadsElsewhere) {
    commit_link("/nowhere", "models");
    clone_work();
    EXPECT_THAT(reason("models"), Not(IsEmpty()));
    fs::remove(there() / "models");
    fs::create_symlink(outside, there() / "models");
    EXPECT_THAT(reason("models"), IsEmpty());
}

TEST_F(CommittedLink, IsTheUsersOwnWhenItsCheckoutIsAboveTheRoot) {
    commit_link(outside, "sub/models");
    clone_work();
    EXPECT_THAT(reason("sub/models"), Not(IsEmpty()));
    EXPECT_THAT(reason_against_link(there() / "sub/models", there() / "sub"), IsEmpty());
}

}  // namespace
}  // namespace podctl::git

#include "edits_fixture.hpp"

namespace podctl::git {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

// parent.git has pack.git as the submodule part.
class EditedSubmoduleTest : public EditsTest {
protected:
    EditedSubmoduleTest() : parent(dir / "parent") {
        parent.write("parent.txt", "p\n");
        parent.write(".gitmodules", "[submodule \"part\"]\n\tpath = part\n\turl = ../pack.git\n");
        publish_link(second);
        clone_it(parent_url());
    }
    std::string parent_url() const { return (served() / "parent.git").string(); }
    void publish_link(const std::string& commit) {
        fs::create_directories(parent.path() / "part");
        parent.git({"add", "."});
        parent.git({"update-index", "--add", "--cacheinfo", "160000," + commit + ",part"});
        parent.git({"commit", "--quiet", "-m", "link"});
        parent.publish(parent_url());
    }
    test::GitRepository parent;
};

TEST_F(EditedSubmoduleTest, IsLeftAloneWhereItsSuperprojectHasItAsBefore) {
    write("part/a.txt", "mine\n");
    parent.write("parent.txt", "new\n");
    parent.git({"commit", "--quiet", "-a", "-m", "new"});
    parent.publish(parent_url());
    EXPECT_EQ(update_it(parent_url()).commit, parent.head());
    EXPECT_EQ(read("part/a.txt"), "mine\n");
    EXPECT_EQ(read("parent.txt"), "new\n");
}

TEST_F(EditedSubmoduleTest, ThatWasMovedByHandStaysToo) {
    test::git(there() / "part", {"fetch", "--quiet", "origin", third});
    test::git(there() / "part", {"checkout", "--quiet", third});
    update_it(parent_url());
    EXPECT_EQ(read_head(there() / "part")->commit, third);
}

TEST_F(EditedSubmoduleTest, WithAnEmptyFolderIsBroughtBack) {
    fs::remove_all(there() / "part");
    fs::create_directories(there() / "part");
    update_it(parent_url());
    EXPECT_EQ(read("part/a.txt"), "one\n");
    EXPECT_EQ(in_clone({"-C", "part", "rev-parse", "HEAD"}), second);
    EXPECT_EQ(status(), "");
}

TEST_F(EditedSubmoduleTest, ThatWentAndComesAgainIsWhole) {
    parent.git({"rm", "--quiet", "--cached", "part"});
    parent.git({"commit", "--quiet", "-m", "without"});
    parent.publish(parent_url());
    update_it(parent_url());
    EXPECT_FALSE(fs::exists(there() / "part/a.txt"));
    publish_link(third);
    update_it(parent_url());
    EXPECT_EQ(read("part/a.txt"), "three\n");
}

TEST_F(EditedSubmoduleTest, DoesNotGoWithFilesOfTheUserInIt) {
    write("part/models/mine.safetensors", "mine");
    write("part/__pycache__/x.pyc", "made");
    parent.git({"rm", "--quiet", "--cached", "part"});
    parent.git({"commit", "--quiet", "-m", "without"});
    parent.publish(parent_url());
    const auto error =
        error_of([&] { update_it(parent_url()); }).value_or(Error{ErrorKind::internal, ""});
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), testing::AllOf(HasSubstr("part/models/mine.safetensors"),
                                                Not(HasSubstr("__pycache__"))));
    EXPECT_EQ(read("part/models/mine.safetensors"), "mine");
}

TEST_F(EditedSubmoduleTest, ThatIsNewAndCouldNotBeHadIsBroughtByTheNextUpdate) {
    const fs::path away = served() / "other.git";
    parent.write(".gitmodules",
                 "[submodule \"part\"]\n\tpath = part\n\turl = ../pack.git\n"
                 "[submodule \"other\"]\n\tpath = other\n\turl = ../other.git\n");
    fs::create_directories(parent.path() / "other");
    parent.git({"update-index", "--add", "--cacheinfo", "160000," + third + ",other"});
    parent.git({"add", ".gitmodules"});
    parent.git({"commit", "--quiet", "-m", "another"});
    parent.publish(parent_url());
    EXPECT_TRUE(error_of([&] { update_it(parent_url()); }));
    work.publish(away);
    write("part/__pycache__/x.pyc", "made");
    EXPECT_EQ(update_it(parent_url()).commit, parent.head());
    EXPECT_EQ(read("other/a.txt"), "three\n");
}

TEST_F(EditedSubmoduleTest, IsAConflictBeforeAnythingMovesWhereItWouldMove) {
    write("part/a.txt", "mine\n");
    const auto before = read_head(there())->commit;
    publish_link(third);
    const auto error =
        error_of([&] { update_it(parent_url()); }).value_or(Error{ErrorKind::internal, ""});
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), HasSubstr("part/a.txt"));
    EXPECT_EQ(read_head(there())->commit, before);
    EXPECT_EQ(read("part/a.txt"), "mine\n");
    EXPECT_FALSE(is_update_pending(there()));
}

// As a pack does that takes a library in.
class ReplacedSubmoduleTest : public EditedSubmoduleTest {
protected:
    void publish_in_its_place(const std::string& file) {
        parent.git({"rm", "--quiet", "--cached", "part", ".gitmodules"});
        fs::remove_all(parent.path() / "part");
        fs::remove(parent.path() / ".gitmodules");
        parent.commit_file(file, "theirs\n");
        parent.publish(parent_url());
    }
};

TEST_F(ReplacedSubmoduleTest, MakesRoomForAFolder) {
    publish_in_its_place("part/a.txt");
    EXPECT_EQ(update_it(parent_url()).commit, parent.head());
    EXPECT_EQ(read("part/a.txt"), "theirs\n");
    EXPECT_FALSE(fs::exists(there() / "part/.git"));
    EXPECT_EQ(status(), "");
}

TEST_F(ReplacedSubmoduleTest, MakesRoomForAFile) {
    publish_in_its_place("part");
    EXPECT_EQ(update_it(parent_url()).commit, parent.head());
    EXPECT_EQ(read("part"), "theirs\n");
    EXPECT_EQ(status(), "");
}

TEST_F(ReplacedSubmoduleTest, MakesNoRoomWithEditsOrFilesOfTheUser) {
    publish_in_its_place("part/a.txt");
    for (const std::string file : {"part/mine.txt", "part/tool.sh"}) {
        write(file, "mine\n");
        const auto error =
            error_of([&] { update_it(parent_url()); }).value_or(Error{ErrorKind::internal, ""});
        EXPECT_EQ(error.kind(), ErrorKind::conflict);
        EXPECT_THAT(error.message(), testing::EndsWith("by hand: " + file));
        EXPECT_EQ(read(file), "mine\n");
        in_clone({"-C", "part", "stash", "--quiet", "--include-untracked"});
    }
}

TEST_F(ReplacedSubmoduleTest, MakesNoRoomWhereTheUserHasAddedItHimself) {
    in_clone({"-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url(), "own"});
    parent.commit_file("own/a.txt", "theirs\n");
    parent.publish(parent_url());
    const auto error =
        error_of([&] { update_it(parent_url()); }).value_or(Error{ErrorKind::internal, ""});
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), HasSubstr("own/a.txt"));
    EXPECT_EQ(read("own/a.txt"), "three\n");
}
}  // namespace
}  // namespace podctl::git

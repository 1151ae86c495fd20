#include "edits_fixture.hpp"

namespace podctl::git {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

TEST_F(EditsTest, AreKeptWhereUpstreamHasNotMoved) {
    clone_it(url());
    write("a.txt", "mine\n");
    EXPECT_EQ(update_it(url()).commit, third);
    EXPECT_EQ(read("a.txt"), "mine\n");
    EXPECT_TRUE(inspect(there())->modified);
}

TEST_F(EditsTest, AreKeptWhereUpstreamMovesOtherFiles) {
    clone_it(url());
    write("a.txt", "mine\n");
    fs::remove(there() / "link");
    const auto newest = publish_file("tool.sh", "#!/bin/sh\nexit 1\n");
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_EQ(read("a.txt"), "mine\n");
    EXPECT_EQ(read("tool.sh"), "#!/bin/sh\nexit 1\n");
    EXPECT_EQ(status(), "M a.txt\n D link");
}

TEST_F(EditsTest, ThatAreStagedAreKept) {
    clone_it(url());
    write("a.txt", "mine\n");
    in_clone({"add", "a.txt"});
    const auto newest = publish_file("new.txt", "new\n");
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_EQ(status(), "M  a.txt");
    EXPECT_EQ(in_clone({"show", ":a.txt"}), "mine");
}

TEST_F(EditsTest, AreInTheWayOfTheSameFilesAlone) {
    clone_it(url());
    write("a.txt", "mine\n");
    write("tool.sh", "mine\n");
    publish_file("a.txt", "theirs\n");
    const auto error = update_error();
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), HasSubstr("a.txt"));
    EXPECT_THAT(error.message(), Not(HasSubstr("tool.sh")));
    EXPECT_EQ(read("a.txt"), "mine\n");
    EXPECT_EQ(read_head(there())->commit, third);
}

TEST_F(EditsTest, ThatUpstreamMadeTooAreInNobodysWay) {
    clone_it(url());
    write("a.txt", "the same\n");
    fs::remove_all(there() / "sub");
    work.git({"rm", "--quiet", "sub/b.txt"});
    const auto newest = publish_file("a.txt", "the same\n");
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_EQ(status(), "");
}

TEST_F(EditsTest, OfAFileThatUpstreamRemovesAreAConflict) {
    clone_it(url());
    write("sub/b.txt", "mine\n");
    work.git({"rm", "--quiet", "sub/b.txt"});
    work.commit();
    publish();
    EXPECT_THAT(update_error().message(), HasSubstr("sub/b.txt"));
    EXPECT_EQ(read("sub/b.txt"), "mine\n");
}

TEST_F(EditsTest, OfAModeAreGits) {
    clone_it(url());
    fs::permissions(there() / "a.txt", fs::perms{0755});
    EXPECT_TRUE(inspect(there())->modified);
    in_clone({"config", "core.fileMode", "false"});
    EXPECT_FALSE(inspect(there())->modified);
}

TEST_F(EditsTest, AFileThatIsIgnoredIsNotOverwrittenOnceUpstreamHasIt) {
    publish_file(".gitignore", "*.ini\n");
    clone_it(url());
    write("config.ini", "mine");
    work.write("config.ini", "theirs");
    work.git({"add", "--force", "config.ini"});
    work.git({"commit", "--quiet", "-m", "config"});
    publish();
    EXPECT_THAT(update_error().message(), HasSubstr("config.ini"));
    EXPECT_EQ(read("config.ini"), "mine");
}

TEST_F(EditsTest, AFolderWithFilesOfTheUserIsNotReplacedByAFile) {
    clone_it(url());
    write("sub/mine.txt", "mine");
    work.git({"rm", "--quiet", "-r", "sub"});
    publish_file("sub", "a file now\n");
    const auto error = update_error();
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), HasSubstr("sub/mine.txt"));
    EXPECT_EQ(read("sub/mine.txt"), "mine");
    EXPECT_EQ(read("sub/b.txt"), "b\n");
    EXPECT_FALSE(is_update_pending(there()));
}

TEST_F(EditsTest, AFileOrALinkOfTheUserIsNotTakenForAFolder) {
    clone_it(url());
    write("new", "mine");
    fs::create_directories(dir / "elsewhere");
    fs::create_directory_symlink(dir / "elsewhere", there() / "other");
    work.write("other/x.txt", "x");
    publish_file("new/x.txt", "x");
    const auto error = update_error();
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), testing::AllOf(HasSubstr("new"), HasSubstr("other")));
    EXPECT_EQ(read("new"), "mine");
    EXPECT_TRUE(fs::is_empty(dir / "elsewhere"));
}

TEST_F(EditsTest, FoldersAndFilesOfUpstreamChangePlaces) {
    clone_it(url());
    work.git({"rm", "--quiet", "-r", "sub", "a.txt"});
    work.write("sub", "a file now\n");
    const auto newest = publish_file("a.txt/x", "a folder now\n");
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_EQ(read("a.txt/x"), "a folder now\n");
    EXPECT_EQ(status(), "");
}

// git itself calls such a file modified as soon as it looks into it.
class CrlfTest : public EditsTest {
protected:
    CrlfTest() {
        work.write("dos.py", "print(1)\r\n");
        work.write("image.bin", std::string("\0\r\n", 3));
        work.commit();
        work.write(".gitattributes", "*.py text eol=lf\n*.sh text eol=crlf\n");
        work.git({"add", ".gitattributes"});
        work.git({"commit", "--quiet", "-m", "attributes"});
        publish();
    }
    // Another time than the index has makes git compare the content.
    void touch(const std::string& file) const {
        fs::last_write_time(there() / file,
                            fs::last_write_time(there() / file) + std::chrono::seconds{5});
    }
    std::string publish_dos(const std::string& content) {
        work.write("dos.py", content);
        // As it is: another program's commit, which knows no attributes.
        const auto blob = work.git({"hash-object", "-w", "--no-filters", "dos.py"});
        work.git({"update-index", "--cacheinfo", "100644," + blob + ",dos.py"});
        work.git({"commit", "--quiet", "-m", "dos"});
        publish();
        return work.head();
    }
};

TEST_F(CrlfTest, LineEndsThatTheAttributesForbidAreNoEdit) {
    clone_it(url());
    touch("dos.py");
    ASSERT_THAT(status(), HasSubstr("dos.py")) << "git has changed its mind";
    EXPECT_FALSE(inspect(there())->modified);
    write("dos.py", "print(2)\r\n");
    EXPECT_TRUE(inspect(there())->modified);
}

TEST_F(CrlfTest, AreUpdatedAsOtherFilesAre) {
    clone_it(url());
    touch("dos.py");
    write("a.txt", "mine\n");
    const auto newest = publish_dos("print(2)\r\n");
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_EQ(read("dos.py"), "print(2)\r\n");
    EXPECT_EQ(read("a.txt"), "mine\n");
    EXPECT_EQ(update_it(url()).commit, newest);
}

TEST_F(CrlfTest, EditsBesideThemAreNotOverwritten) {
    clone_it(url());
    touch("dos.py");
    write("image.bin", "mine");
    publish_dos("print(2)\r\n");
    publish_file("image.bin", "theirs");
    EXPECT_THAT(update_error().message(), HasSubstr("image.bin"));
    EXPECT_EQ(read("image.bin"), "mine");
    EXPECT_EQ(read("dos.py"), "print(1)\r\n");
}

// A checkout writes these with CRLF, though the commit has LF.
TEST_F(CrlfTest, AKilledUpdatesFilesAreKnownByWhatACheckoutWrites) {
    clone_it(url());
    ASSERT_EQ(read("tool.sh"), "#!/bin/sh\r\n");
    work.write("tool.sh", "#!/bin/sh\nexit 1\n");
    const auto newest = work.commit();
    publish();
    in_clone({"fetch", "--quiet"});
    write_file_atomically(there() / ".git/podctl-update", newest + "\n");
    write("tool.sh", "#!/bin/sh\r\nexit");
    EXPECT_FALSE(inspect(there())->modified);
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_EQ(read("tool.sh"), "#!/bin/sh\r\nexit 1\r\n");
}

// The checkout was killed in a.txt.
class EditsBesideAKilledUpdate : public EditsTest {
protected:
    void leave_half_way() {
        clone_it(url());
        newest = publish_file("a.txt", "the new content\n");
        in_clone({"fetch", "--quiet"});
        write_file_atomically(there() / ".git/podctl-update", newest + "\n");
        write("a.txt", "the new");
    }
    std::string newest;
};

TEST_F(EditsBesideAKilledUpdate, AreKept) {
    leave_half_way();
    write("tool.sh", "mine\n");
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_EQ(read("a.txt"), "the new content\n");
    EXPECT_EQ(read("tool.sh"), "mine\n");
}

TEST_F(EditsBesideAKilledUpdate, AreNotLostOnTheWayBack) {
    leave_half_way();
    write("tool.sh", "mine\n");
    EXPECT_EQ(update_it(url(), third).commit, third);
    EXPECT_EQ(read("a.txt"), "three\n");
    EXPECT_EQ(read("tool.sh"), "mine\n");
}

TEST_F(EditsBesideAKilledUpdate, AreRefusedWhenItsCommitIsGone) {
    leave_half_way();
    const std::string gone(40, 'd');
    write_file_atomically(there() / ".git/podctl-update", gone + "\n");
    const auto error = update_error();
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), HasSubstr("dddddddddd"));
    EXPECT_EQ(read("a.txt"), "the new");
}
}  // namespace
}  // namespace podctl::git

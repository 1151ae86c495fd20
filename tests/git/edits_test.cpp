#include "podctl/base/file.hpp"

#include "fixture.hpp"

namespace podctl::git {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

// What was done to a checkout by hand, and the updates that meet it.
class EditsTest : public GitTest {
protected:
    std::string url() const { return bare().string(); }
    void write(const std::string& file, const std::string& content) const {
        write_file_atomically(there() / file, content);
    }
    std::string read(const std::string& file) const { return read_file(there() / file); }
    std::string publish_file(const std::string& file, const std::string& content) {
        const auto commit = work.commit_file(file, content);
        publish();
        return commit;
    }
    Error update_error(const std::string& ref = {}) {
        return error_of([&] { update_it(url(), ref); }).value_or(Error{ErrorKind::internal, ""});
    }
    std::string status() const { return in_clone({"status", "--porcelain"}); }
};

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

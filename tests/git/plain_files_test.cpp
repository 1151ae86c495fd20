#include "podctl/base/file.hpp"

#include "fixture.hpp"
#include "support/ends_in_time.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class PlainFiles : public GitTest {
protected:
    PlainFiles() { test::git(dir.path(), {"clone", "--quiet", bare().string(), there().string()}); }
    static void put_pipe(const fs::path& path) {
        fs::create_directories(path.parent_path());
        fs::remove(path);
        ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    }
    // The error of a look at `there()` that would otherwise wait at `pipe`.
    Error look_error(const fs::path& pipe) {
        return test::ends_in_time(pipe, [&] { return error_of([&] { inspect(there()); }); })
            .value_or(Error{ErrorKind::internal, "none"});
    }
    void expect_look_refuses(const fs::path& path) {
        const auto error = look_error(path);
        EXPECT_EQ(error.kind(), ErrorKind::git) << path << ": " << error.message();
        EXPECT_THAT(error.message(), HasSubstr(path.filename().string()));
        EXPECT_THAT(error.hint(), HasSubstr("remove it"));
    }
};

class PipeInACheckout : public PlainFiles, public testing::WithParamInterface<const char*> {};

TEST_P(PipeInACheckout, IsRefusedByALook) {
    put_pipe(there() / GetParam());
    expect_look_refuses(there() / GetParam());
}

TEST_P(PipeInACheckout, IsRefusedByAnUpdate) {
    const fs::path pipe = there() / GetParam();
    put_pipe(pipe);
    const auto error = test::ends_in_time(
        pipe, [&] { return error_of([&] { update_it("file://" + bare().string()); }); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::git) << error->message();
    EXPECT_THAT(error->message(), HasSubstr("is a pipe"));
}

INSTANTIATE_TEST_SUITE_P(Everywhere, PipeInACheckout,
                         testing::Values(".git/HEAD", ".git/index", ".git/config",
                                         ".git/refs/heads/main", ".git/packed-refs",
                                         ".git/info/exclude", ".git/info/attributes",
                                         ".git/objects/info/alternates", ".git/shallow",
                                         ".git/commondir", ".git/logs/HEAD", ".gitignore",
                                         ".gitattributes", ".gitmodules", "sub/.gitignore",
                                         "sub/.gitattributes"));

class PipeInASource : public PlainFiles, public testing::WithParamInterface<const char*> {};

TEST_P(PipeInASource, IsRefusedByAClone) {
    fs::remove_all(there());
    const fs::path pipe = bare() / GetParam();
    put_pipe(pipe);
    const auto error = test::ends_in_time(
        pipe, [&] { return error_of([&] { clone_it("file://" + bare().string()); }); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::git) << error->message();
    EXPECT_THAT(error->message(), HasSubstr(GetParam()));
    EXPECT_FALSE(fs::exists(there()));
}

TEST_P(PipeInASource, IsRefusedInAMirror) {
    fs::remove_all(there());
    const fs::path pipe = bare() / GetParam();
    put_pipe(pipe);
    mirrors = Mirrors{{{"https://git.invalid/", served().string() + "/"}}};
    const auto error = test::ends_in_time(
        pipe, [&] { return error_of([&] { clone_it("https://git.invalid/pack.git"); }); });
    ASSERT_TRUE(error);
    EXPECT_THAT(error->message(), HasSubstr("is a pipe"));
}

INSTANTIATE_TEST_SUITE_P(Everywhere, PipeInASource,
                         testing::Values("HEAD", "config", "packed-refs", "refs/heads/main",
                                         "objects/info/alternates"));

TEST_F(PlainFiles, RefuseALinkToAPipe) {
    put_pipe(dir / "pipe");
    fs::remove(there() / ".git/index");
    fs::create_symlink(dir / "pipe", there() / ".git/index");
    EXPECT_THAT(look_error(dir / "pipe").message(), HasSubstr("index: is a link to a pipe"));
}

TEST_F(PlainFiles, RefuseALinkToADevice) {
    for (const char* name : {".git/config", ".git/index", ".git/HEAD", ".gitattributes"}) {
        const fs::path path = there() / name;
        fs::remove(dir / "kept");
        if (fs::exists(path)) fs::rename(path, dir / "kept");
        fs::create_symlink("/dev/zero", path);
        EXPECT_THAT(look_error(path).message(), HasSubstr("is a link to a device")) << name;
        fs::remove(path);
        if (fs::exists(dir / "kept")) fs::rename(dir / "kept", path);
    }
}

TEST_F(PlainFiles, RefuseASocket) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_GE(fd, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    const std::string path = (there() / ".git/shallow").string();
    ASSERT_LT(path.size(), sizeof address.sun_path);
    std::strcpy(address.sun_path, path.c_str());
    ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ::close(fd);
    EXPECT_THAT(look_error(path).message(), HasSubstr("is a socket"));
}

TEST_F(PlainFiles, RefuseASizeThatNoSuchFileHas) {
    for (const char* name : {".git/config", ".git/index", ".git/packed-refs", ".gitignore"}) {
        const fs::path path = there() / name;
        const auto before = read_file_if_exists(path);
        if (!before) write_file_atomically(path, "");
        fs::resize_file(path, std::uintmax_t{1} << 40);
        EXPECT_THAT(look_error(path).message(), HasSubstr("1099511627776 bytes")) << name;
        fs::remove(path);
        if (before) write_file_atomically(path, *before);
    }
}

TEST_F(PlainFiles, RefuseAPipeBehindALinkedFolder) {
    put_pipe(dir / "elsewhere/heads/main");
    fs::remove_all(there() / ".git/refs");
    fs::create_symlink(dir / "elsewhere", there() / ".git/refs");
    EXPECT_THAT(look_error(dir / "elsewhere/heads/main").message(), HasSubstr("is a pipe"));
}

TEST_F(PlainFiles, RefuseAPipeThatTheConfigurationNames) {
    put_pipe(dir / "pipe");
    const auto config = read_file(there() / ".git/config");
    for (const std::string key : {"[include] path = ", "[core]\n\tExcludesFile = \\\n",
                                  "[includeIf \"gitdir:/]\"]\nPath=", "[core]attributesFile="}) {
        write_file_atomically(there() / ".git/config",
                              config + key + "\"" + (dir / "pipe").string() + "\" ; x\n");
        EXPECT_THAT(look_error(dir / "pipe").message(), HasSubstr("is a pipe")) << key;
    }
    write_file_atomically(there() / ".git/config", config + "[include]\npath = more\n");
    write_file_atomically(there() / ".git/more", "[include]\npath = ../../pipe\n");
    EXPECT_THAT(look_error(dir / "pipe").message(), HasSubstr("is a pipe"));
}

TEST_F(PlainFiles, RefuseAPipeInAnAlternate) {
    put_pipe(dir / "pool/pack/pack-1.idx");
    write_file_atomically(there() / ".git/objects/info/alternates", (dir / "pool").string() + "\n");
    EXPECT_THAT(look_error(dir / "pool/pack/pack-1.idx").message(), HasSubstr("is a pipe"));
}

TEST_F(PlainFiles, RefuseAPipeThatAFileNamedGitLeadsTo) {
    work.git({"worktree", "add", "--quiet", (dir / "linked").string(), "feature"});
    put_pipe(work.path() / ".git/config");
    const auto error = test::ends_in_time(
        work.path() / ".git/config", [&] { return error_of([&] { inspect(dir / "linked"); }); });
    EXPECT_THAT(error->message(), HasSubstr("config: is a pipe"));
}

TEST_F(PlainFiles, AreWhatAWorkingRepositoryHas) {
    // Shared by links and alternates, as git's own tools do it.
    fs::rename(there() / ".git/refs", dir / "refs");
    fs::create_directory_symlink(dir / "refs", there() / ".git/refs");
    fs::create_symlink("nowhere", there() / ".git/dangling");
    write_file_atomically(there() / ".git/objects/info/alternates",
                          (bare() / "objects").string() + "\n");
    put_pipe(there() / "a.pipe");
    EXPECT_FALSE(inspect(there())->modified);
    work.commit_file("new.txt", "n\n");
    publish();
    EXPECT_EQ(update_it("file://" + bare().string()).commit, work.head());
}

// The index knows nothing of the folder: the commit that comes does.
TEST_F(PlainFiles, RefuseAPipeInAFolderThatAnUpdateFills) {
    work.commit_file("new/x.txt", "n\n");
    publish();
    put_pipe(there() / "new/.gitattributes");
    const auto error = test::ends_in_time(there() / "new/.gitattributes", [&] {
        return error_of([&] { update_it("file://" + bare().string()); });
    });
    EXPECT_THAT(error->message(), HasSubstr("is a pipe"));
}

TEST_F(PlainFiles, DoNotWaitAtAPipeInPlaceOfATrackedFile) {
    put_pipe(there() / "a.txt");
    work.commit_file("a.txt", "four\n");
    publish();
    const auto error = test::ends_in_time(there() / "a.txt", [&] {
        return error_of([&] { update_it("file://" + bare().string()); });
    });
    EXPECT_EQ(error->kind(), ErrorKind::conflict);
}

TEST_F(PlainFiles, DoNotWaitAtAPipeInPlaceOfANewFile) {
    put_pipe(there() / "new.txt");
    work.commit_file("new.txt", "n\n");
    publish();
    test::ends_in_time(there() / "new.txt", [&] {
        try {
            update_it("file://" + bare().string());
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::conflict);
        }
    });
}

class PlainTree : public GitTest {};

TEST_F(PlainTree, HasNoRulesThatAreLinksOutOfTheCommit) {
    for (const fs::path target : {"/dev/zero", "../outside", "link", "nowhere"}) {
        fs::remove(work.path() / "sub/.gitattributes");
        fs::create_symlink(target, work.path() / "sub/.gitattributes");
        work.git({"add", "--force", "--all"});
        work.commit();
        publish();
        const auto error = error_of([&] { clone_it("file://" + bare().string()); });
        ASSERT_TRUE(error) << target;
        EXPECT_THAT(error->message(), HasSubstr("sub/.gitattributes: is a link")) << target;
    }
}

TEST_F(PlainTree, MayHaveRulesThatAreLinksToItsFiles) {
    work.write(".dockerignore", "*.o\n");
    fs::create_symlink("../.dockerignore", work.path() / "sub/.gitignore");
    work.commit();
    publish();
    clone_it("file://" + bare().string());
    EXPECT_TRUE(fs::is_symlink(there() / "sub/.gitignore"));
}

// Ten trees of ten entries each, eight deep, are a kilobyte: a hundred million files.
TEST_F(PlainTree, Ends) {
    const auto tree_of = [&](const std::string& mode_and_id) {
        std::string listing;
        for (int i = 0; i < 10; ++i)
            listing += mode_and_id + "\tf" + std::to_string(i) + "\n";
        write_file_atomically(dir / "listing", listing);
        return work.git(
            {"-c", "alias.mk=!git mktree < '" + (dir / "listing").string() + "'", "mk"});
    };
    std::string tree = tree_of("100644 blob " + work.git({"rev-parse", "HEAD:a.txt"}));
    for (int i = 0; i < 7; ++i)
        tree = tree_of("040000 tree " + tree);
    const auto commit = work.git({"commit-tree", "-m", "bomb", tree});
    work.git({"update-ref", "refs/heads/main", commit});
    publish();
    const auto error = error_of([&] { clone_it("file://" + bare().string()); });
    ASSERT_TRUE(error);
    EXPECT_THAT(error->message(), HasSubstr("more than 500000 files"));
    EXPECT_FALSE(fs::exists(dir / "staging"));
}

}  // namespace
}  // namespace podctl::git

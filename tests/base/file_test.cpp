#include "podctl/base/file.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/shorten.hpp"

#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace podctl {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator{folder})
        names.push_back(entry.path().filename());
    return names;
}

using test::error_of;

mode_t mode_of(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 07777;
}

class AtomicFileTest : public testing::Test {
protected:
    test::TempDir dir;
};

TEST_F(AtomicFileTest, AppearsWithItsContentOnCommit) {
    AtomicFile file{dir / "a/b/c.txt"};
    file.write("one ");
    file.write("two");
    EXPECT_FALSE(fs::exists(dir / "a/b/c.txt"));
    file.commit();
    EXPECT_EQ(read_file(dir / "a/b/c.txt"), "one two");
    EXPECT_THAT(names_in(dir / "a/b"), ElementsAre("c.txt"));
}

TEST_F(AtomicFileTest, LeavesNothingWithoutCommit) {
    { AtomicFile{dir / "c.txt"}.write("half"); }
    EXPECT_THAT(names_in(dir.path()), IsEmpty());
}

TEST_F(AtomicFileTest, WhatAKilledProcessLeftOfItIsRemovedAndNothingElse) {
    for (const auto* name : {".c.txt.podctl-aB3dE6", ".other.podctl-aB3dE6", "c.txt", ".c.txt.old",
                             ".c.txt.podctl-aB3dE67", "c.txt.podctl-aB3dE6"})
        write_file_atomically(dir / name, "");
    fs::create_directory(dir / ".folder.podctl-aB3dE6");
    remove_abandoned(dir.path(), "c.txt");
    EXPECT_FALSE(fs::exists(dir / ".c.txt.podctl-aB3dE6"));
    EXPECT_TRUE(fs::exists(dir / ".other.podctl-aB3dE6"));
    remove_abandoned(dir.path());
    EXPECT_THAT(names_in(dir.path()),
                UnorderedElementsAre("c.txt", ".c.txt.old", ".c.txt.podctl-aB3dE67",
                                     "c.txt.podctl-aB3dE6", ".folder.podctl-aB3dE6"));
    remove_abandoned(dir / "none");
}

TEST(ReadFileIfExists, DoesNotWaitForTheWriterOfAPipe) {
    const test::TempDir dir;
    ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
    const auto error = error_of([&] { read_file_if_exists(dir / "pipe"); });
    EXPECT_THAT(error.message(), HasSubstr("is a pipe"));
}

TEST(ReadFile, EndsWhereThereIsNoEnd) {
    const test::TempDir dir;
    EXPECT_THAT(error_of([] { read_file("/dev/zero"); }).message(), HasSubstr("64 MiB"));
    EXPECT_THAT(error_of([] { read_file_if_exists("/dev/zero"); }).message(), HasSubstr("64 MiB"));
    EXPECT_EQ(read_file("/dev/null"), "");
    // A hole costs nobody anything but who reads it.
    write_file_atomically(dir / "hole", "");
    fs::resize_file(dir / "hole", std::uintmax_t{1} << 40);
    EXPECT_THAT(error_of([&] { read_file(dir / "hole"); }).message(), HasSubstr("256 MiB"));
    EXPECT_THAT(error_of([&] { read_file_if_exists(dir / "hole"); }).message(),
                HasSubstr("256 MiB"));
}

TEST(ReadFile, WaitsForNobodyWhoNeverOpensThePipe) {
    const test::TempDir dir;
    ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
    const auto before = std::chrono::steady_clock::now();
    EXPECT_THAT(error_of([&] { read_file(dir / "pipe"); }).message(),
                HasSubstr("nobody writes into"));
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
}

// A shell's <(command).
TEST(ReadFile, TakesWhatComesThroughAPipe) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const Fd read_end{ends[0]};
    Fd write_end{ends[1]};
    const std::string content(1 << 20, 'x');  // more than a pipe holds
    std::jthread writer([&] {
        write_all(write_end.get(), content, "pipe");
        write_end.close();
    });
    EXPECT_EQ(read_file("/proc/self/fd/" + std::to_string(read_end.get())), content);
    writer.join();
    EXPECT_EQ(read_file("/proc/self/fd/" + std::to_string(read_end.get())), "");
}

TEST_F(AtomicFileTest, LeavesTheOldContentWithoutCommit) {
    write_file_atomically(dir / "c.txt", "old");
    { AtomicFile{dir / "c.txt"}.write("half"); }
    EXPECT_EQ(read_file(dir / "c.txt"), "old");
}

TEST_F(AtomicFileTest, IsWrittenBesideTheFinalFileUnderAHiddenName) {
    AtomicFile file{dir / "c.txt"};
    EXPECT_THAT(names_in(dir.path()), ElementsAre(testing::StartsWith(".c.txt.podctl-")));
}

TEST_F(AtomicFileTest, HasThePermissionsThatWereAskedFor) {
    write_file_atomically(dir / "plain", "");
    AtomicFile script{dir / "script"};
    script.set_mode(0755);
    script.commit();
    EXPECT_EQ(mode_of(dir / "plain"), 0644u);
    EXPECT_EQ(mode_of(dir / "script"), 0755u);
}

TEST_F(AtomicFileTest, TakesTheLongestNameThatTheFileSystemKnows) {
    const std::string name(255, 'n');
    write_file_atomically(dir / name, "x");
    EXPECT_EQ(read_file(dir / name), "x");
}

TEST_F(AtomicFileTest, TwoWritersDoNotMix) {
    AtomicFile first{dir / "c"}, second{dir / "c"};
    first.write("first");
    second.write("second");
    first.commit();
    second.commit();
    EXPECT_EQ(read_file(dir / "c"), "second");
    EXPECT_THAT(names_in(dir.path()), ElementsAre("c"));
}

TEST_F(AtomicFileTest, SaysThatAFolderIsInTheWay) {
    fs::create_directories(dir / "c/inside");
    const Error error = error_of([&] { write_file_atomically(dir / "c", "x"); });
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_THAT(error.message(), HasSubstr((dir / "c").string()));
    EXPECT_THAT(names_in(dir.path()), ElementsAre("c"));
}

TEST_F(AtomicFileTest, SaysThatAFileStandsWhereAFolderIsNeeded) {
    write_file_atomically(dir / "a", "x");
    const Error error = error_of([&] { AtomicFile{dir / "a/b/c"}; });
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_THAT(error.message(), HasSubstr("cannot create the folder"));
}

TEST(WriteAll, NamesTheFileWhenTheDiskIsFull) {
    const Fd full{::open("/dev/full", O_WRONLY | O_CLOEXEC)};
    if (!full) GTEST_SKIP() << "no /dev/full here";
    const Error error = error_of([&] { write_all(full.get(), "x", "/workspace/a.bin"); });
    EXPECT_EQ(error.message(), "cannot write /workspace/a.bin: No space left on device");
    EXPECT_THAT(error.hint(), HasSubstr("disk is full"));
}

TEST(WriteAll, GoesOnAfterAShortWrite) {
    const test::TempDir dir;
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const Fd read_end{ends[0]};
    Fd write_end{ends[1]};
    const std::string content(1 << 20, 'x');  // more than a pipe holds
    std::size_t received = 0;
    std::thread reader{[&] {
        char block[4096];
        for (ssize_t size; (size = ::read(read_end.get(), block, sizeof block)) > 0;)
            received += static_cast<std::size_t>(size);
    }};
    write_all(write_end.get(), content, "pipe");
    write_end.close();
    reader.join();
    EXPECT_EQ(received, content.size());
}

TEST(ReadFile, TellsAbsenceFromFailure) {
    const test::TempDir dir;
    EXPECT_EQ(read_file_if_exists(dir / "no"), std::nullopt);
    EXPECT_EQ(error_of([&] { read_file(dir / "no"); }).kind(), ErrorKind::not_found);
    EXPECT_EQ(error_of([&] { read_file(dir.path()); }).kind(), ErrorKind::io);
}

TEST(ReadFile, ReadsAFileWhoseSizeIsSaidToBeZero) {
    EXPECT_THAT(read_file("/proc/self/status"), HasSubstr("Name:"));
}

TEST(FileStamp, ChangesWithTheFile) {
    const test::TempDir dir;
    write_file_atomically(dir / "a", "12345");
    const auto before = file_stamp(dir / "a");
    ASSERT_TRUE(before);
    EXPECT_EQ(before->size, 5u);
    EXPECT_EQ(file_stamp(dir / "a"), before);
    fs::last_write_time(dir / "a", fs::last_write_time(dir / "a") - std::chrono::milliseconds{1});
    EXPECT_NE(file_stamp(dir / "a"), before);
}

TEST(FileStamp, IsOnlyGivenToRegularFiles) {
    const test::TempDir dir;
    fs::create_symlink("nowhere", dir / "dangling");
    fs::create_symlink("loop", dir / "loop");
    write_file_atomically(dir / "file", "x");
    fs::create_symlink("file", dir / "link");
    EXPECT_EQ(file_stamp(dir / "no"), std::nullopt);
    EXPECT_EQ(file_stamp(dir / "file/below"), std::nullopt);
    EXPECT_EQ(file_stamp(dir.path()), std::nullopt);
    EXPECT_EQ(file_stamp(dir / "dangling"), std::nullopt);
    EXPECT_EQ(file_stamp(dir / "loop"), std::nullopt);
    EXPECT_EQ(file_stamp(dir / "link"), file_stamp(dir / "file"));
}

TEST(RemoveTree, DoesNotFollowLinks) {
    const test::TempDir dir;
    write_file_atomically(dir / "kept/file", "x");
    fs::create_directories(dir / "tree/sub");
    fs::create_directory_symlink(dir / "kept", dir / "tree/sub/link");
    remove_tree(dir / "tree");
    EXPECT_FALSE(fs::exists(dir / "tree"));
    EXPECT_EQ(read_file(dir / "kept/file"), "x");
}

TEST(RemoveTree, TakesALinkAndLeavesItsTarget) {
    const test::TempDir dir;
    write_file_atomically(dir / "kept/file", "x");
    fs::create_directory_symlink(dir / "kept", dir / "link");
    remove_tree(dir / "link");
    EXPECT_THAT(names_in(dir.path()), ElementsAre("kept"));
    EXPECT_EQ(read_file(dir / "kept/file"), "x");
}

TEST(RemoveTree, IsContentWithNothing) {
    const test::TempDir dir;
    EXPECT_NO_THROW(remove_tree(dir / "no"));
}

// 1,200 folders in one another: more than this process may have files open, and a path that no
// system call takes.
TEST(RemoveTree, TakesATreeThatIsDeeperThanFilesMayBeOpen) {
    const test::TempDir dir;
    create_folders(dir / "tree");
    Fd at{::open((dir / "tree").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    for (int depth = 0; depth < 1200; ++depth) {
        ASSERT_EQ(::mkdirat(at.get(), "folder", 0755), 0);
        at = Fd{::openat(at.get(), "folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        ASSERT_TRUE(at);
        const Fd file{::openat(at.get(), "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644)};
    }
    at.close();
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit few{std::min<rlim_t>(64, before.rlim_cur), before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    EXPECT_NO_THROW(remove_tree(dir / "tree"));
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_FALSE(fs::exists(dir / "tree"));
}

TEST(RemoveTree, TellsAPathInAFewWords) {
    if (::geteuid() == 0) GTEST_SKIP() << "root may remove everything";
    const test::TempDir dir;
    const auto deep = dir / std::string(200, 'a') / std::string(200, 'b');
    create_folders(deep / "c");
    fs::permissions(deep, fs::perms::owner_read | fs::perms::owner_exec);
    const auto error = error_of([&] { remove_tree(dir / std::string(200, 'a')); });
    fs::permissions(deep, fs::perms::owner_all);
    EXPECT_LT(error.message().size(), 250u);
    EXPECT_THAT(error.message(), HasSubstr("bbb/c: Permission denied"));
}

TEST(ShortenMiddle, KeepsStartAndEnd) {
    EXPECT_EQ(shorten_middle("short", 10), "short");
    EXPECT_EQ(shorten_middle("0123456789abcdef", 11), "0123\u2026cdef");
    EXPECT_EQ(shorten_middle("ääääääää", 10), "ä\u2026ää");
    EXPECT_EQ(shorten_middle(std::string(50'000, 'x')).size(), 160u);
}

TEST(ListFirst, TellsHowManyMoreThereAre) {
    const std::vector<std::string> texts{"a", "b", "c"};
    EXPECT_EQ(list_first(texts, 3), "a, b, c");
    EXPECT_EQ(list_first(texts, 2), "a, b and 1 more");
    EXPECT_EQ(list_first({}, 2), "");
}

TEST(ShortenLine, KeepsTheStartAndSaysHowLongItWas) {
    EXPECT_EQ(shorten_line("short", 10), "short");
    EXPECT_EQ(shorten_line("0123456789abcdef", 4), "0123\u2026 (16 bytes)");
    EXPECT_EQ(shorten_line("\u00e4\u00e4\u00e4", 3), "\u00e4\u2026 (6 bytes)");
}

TEST(RenameDurably, ReplacesAFile) {
    const test::TempDir dir;
    write_file_atomically(dir / "a", "new");
    write_file_atomically(dir / "b", "old");
    rename_durably(dir / "a", dir / "b");
    EXPECT_EQ(read_file(dir / "b"), "new");
    EXPECT_THAT(error_of([&] { rename_durably(dir / "a", dir / "b"); }).message(),
                HasSubstr("cannot rename"));
}

TEST(FreeSpace, IsThatOfTheNearestParent) {
    const test::TempDir dir;
    EXPECT_GT(free_space(dir / "not/yet/there"), 0u);
    EXPECT_GT(free_space("relative/not/there"), 0u);
}

TEST(IsInside, IsDecidedByComponents) {
    EXPECT_TRUE(is_inside("/workspace/models/a", "/workspace"));
    EXPECT_TRUE(is_inside("/workspace", "/workspace/"));
    EXPECT_TRUE(is_inside("/workspace/a/../b/", "/workspace"));
    EXPECT_TRUE(is_inside("/anything", "/"));
    EXPECT_TRUE(is_inside("models/a", "models"));
    EXPECT_FALSE(is_inside("/workspace2", "/workspace"));
    EXPECT_FALSE(is_inside("/workspace/../etc", "/workspace"));
    EXPECT_FALSE(is_inside("/", "/workspace"));
    EXPECT_FALSE(is_inside("models/../../a", "models"));
}

}  // namespace
}  // namespace podctl

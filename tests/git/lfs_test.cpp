#include "lfs.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"

#include "fixture.hpp"

namespace podctl::git {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string pointer_to(const std::string& content) {
    return "version https://git-lfs.github.com/spec/v1\noid sha256:" + sha256_hex(content) +
           "\nsize " + std::to_string(content.size()) + "\n";
}

TEST(LfsPointer, IsReadAsTheSpecificationWritesIt) {
    const auto pointer = read_lfs_pointer(pointer_to("weights"));
    ASSERT_TRUE(pointer);
    EXPECT_EQ(pointer->sha256, sha256_hex("weights"));
    EXPECT_EQ(pointer->size, 7U);
}

TEST(LfsPointer, IsNothingElse) {
    const std::string whole = pointer_to("weights"), oid = "oid sha256:" + sha256_hex("weights");
    const std::string version = "version https://git-lfs.github.com/spec/v1\n";
    for (const auto& text : {
             std::string{},
             version,
             whole.substr(1),
             whole + "more\n",
             whole.substr(0, whole.size() - 1),
             version + oid + "\n",
             version + "size 7\n",
             version + "size 7\n" + oid + "\n",
             version + oid + "\nsize -7\n",
             version + oid + "\nsize \n",
             version + oid + "\nsize 99999999999999999999\n",
             version + "oid sha256:beef\nsize 7\n",
             // The oid is of what the extension makes of the file.
             version + "ext-0-crypt sha256:" + sha256_hex("x") + "\n" + oid + "\nsize 7\n",
         })
        EXPECT_FALSE(read_lfs_pointer(text)) << text;
}

// pack.git has weights.bin as a pointer; the content came by `git lfs pull`, which podctl has not.
class LfsContent : public GitTest {
protected:
    LfsContent() {
        work.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
        pulled = publish_file("weights.bin", pointer_to("the content"));
        clone_it(url());
        write("weights.bin", "the content");
    }
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
    void expect_conflict() {
        const auto error =
            error_of([&] { update_it(url()); }).value_or(Error{ErrorKind::internal, "none"});
        EXPECT_EQ(error.kind(), ErrorKind::conflict);
        EXPECT_THAT(error.message(), HasSubstr("weights.bin"));
    }
    std::string pulled;
};

TEST_F(LfsContent, IsNoEdit) {
    EXPECT_FALSE(inspect(there())->modified);
    write("weights.bin", "the c0ntent");
    EXPECT_TRUE(inspect(there())->modified);
    write("weights.bin", "another size");
    EXPECT_TRUE(inspect(there())->modified);
}

TEST_F(LfsContent, IsKeptByAnUpdateThatLeavesItsPointer) {
    write("a.txt", "mine\n");
    const auto newest = publish_file("tool.sh", "#!/bin/sh\nexit 1\n");
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_EQ(read("weights.bin"), "the content");
    EXPECT_EQ(read("tool.sh"), "#!/bin/sh\nexit 1\n");
}

TEST_F(LfsContent, GivesWayToAnotherPointer) {
    write("a.txt", "mine\n");
    const auto newest = publish_file("weights.bin", pointer_to("newer"));
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_EQ(read("weights.bin"), pointer_to("newer"));
    EXPECT_EQ(read("a.txt"), "mine\n");
    EXPECT_THAT(notices, testing::Contains(HasSubstr("weights.bin")));
}

TEST_F(LfsContent, GoesWithItsPointer) {
    work.git({"rm", "--quiet", "weights.bin"});
    const auto newest = publish_file("tool.sh", "#!/bin/sh\nexit 1\n");
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_FALSE(fs::exists(there() / "weights.bin"));
}

TEST_F(LfsContent, ThatSomebodyChangedDoesNotGiveWay) {
    write("weights.bin", "the c0ntent");
    publish_file("weights.bin", pointer_to("newer"));
    expect_conflict();
    EXPECT_EQ(read("weights.bin"), "the c0ntent");
}

TEST_F(LfsContent, BesideAKilledUpdateIsNoEdit) {
    const auto newest = publish_file("weights.bin", pointer_to("newer"));
    in_clone({"fetch", "--quiet"});
    write_file_atomically(there() / ".git/podctl-update", newest + "\n");
    for (const std::string content : {"the content", "newer"}) {
        write("weights.bin", content);
        EXPECT_FALSE(inspect(there())->modified) << content;
    }
    EXPECT_EQ(update_it(url()).commit, newest);
    EXPECT_EQ(read("weights.bin"), pointer_to("newer"));
}

// git lfs leaves the content's time and size in the index, by which git and libgit2 take the file
// for unchanged.
TEST_F(LfsContent, ThatGitKnowsOfIsTheSame) {
    write_file_atomically(dir / "pointer", pointer_to("the content"));
    // As old as the index, a file is looked into.
    const auto file = there() / "weights.bin";
    fs::last_write_time(file, fs::last_write_time(file) - std::chrono::hours{1});
    const std::string clean = "filter.lfs.clean=cat >/dev/null; cat " + (dir / "pointer").string();
    in_clone({"-c", clean, "update-index", "weights.bin"});
    ASSERT_EQ(in_clone({"status", "--porcelain"}), "");
    EXPECT_FALSE(inspect(there())->modified);
    publish_file("tool.sh", "#!/bin/sh\nexit 1\n");
    update_it(url());
    EXPECT_EQ(read("weights.bin"), "the content");
    publish_file("weights.bin", pointer_to("newer"));
    update_it(url());
    EXPECT_EQ(read("weights.bin"), pointer_to("newer"));
}

// A link is not what a checkout or a pull writes, wherever it leads.
TEST_F(LfsContent, IsNotSoughtBehindALink) {
    write_file_atomically(dir / "elsewhere", "the content");
    fs::remove(there() / "weights.bin");
    fs::create_symlink(dir / "elsewhere", there() / "weights.bin");
    EXPECT_TRUE(inspect(there())->modified);
    publish_file("weights.bin", pointer_to("newer"));
    expect_conflict();
}

// Sparse, so that reading it would take long and more memory than there is.
TEST_F(LfsContent, OfAnotherSizeIsNotRead) {
    fs::resize_file(there() / "weights.bin", std::uintmax_t{1} << 42);
    EXPECT_TRUE(inspect(there())->modified);
    publish_file("weights.bin", pointer_to("newer"));
    expect_conflict();
}

}  // namespace
}  // namespace podctl::git

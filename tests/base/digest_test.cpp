#include "podctl/base/digest.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "support/ends_in_time.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace podctl {
namespace {

// FIPS 180-2, appendix B, and the empty message.
constexpr auto of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr auto of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr auto of_a_million_a = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, GivesThePublishedDigests) {
    EXPECT_EQ(sha256_hex(""), of_nothing);
    EXPECT_EQ(sha256_hex("abc"), of_abc);
}

// What `git hash-object` says.
TEST(GitBlobId, IsGits) {
    EXPECT_EQ(git_blob_id(""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    EXPECT_EQ(git_blob_id("hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    const test::TempDir dir;
    write_file_atomically(dir / "file", "hello\n");
    EXPECT_EQ(git_blob_id_of_file(dir / "file"), git_blob_id("hello\n"));
}

TEST(Sha256, IsWrittenInBase64ForAContentSecurityPolicy) {
    EXPECT_EQ(sha256_base64("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
}

TEST(Sha256, DoesNotCareHowTheStreamIsCut) {
    Sha256 sha;
    for (int i = 0; i < 1'000; ++i)
        sha.update(std::string(1'000, 'a'));
    EXPECT_EQ(sha.finish(), of_a_million_a);
}

TEST(Sha256, StartsAnewAfterFinish) {
    Sha256 sha;
    sha.update("something else");
    sha.finish();
    sha.update("abc");
    EXPECT_EQ(sha.finish(), of_abc);
}

TEST(Sha256, GoesOnAfterAMove) {
    Sha256 first;
    first.update("ab");
    Sha256 second{std::move(first)};
    second.update("c");
    EXPECT_EQ(second.finish(), of_abc);
}

TEST(Sha256File, HashesAFileLongerThanABlock) {
    const test::TempDir dir;
    const std::string content((1 << 20) + 1, 'x');
    write_file_atomically(dir / "a.bin", content);
    EXPECT_EQ(sha256_file(dir / "a.bin"), sha256_hex(content));
}

TEST(Sha256File, DoesNotWaitAtAPipeThatHasTakenTheFilesPlace) {
    const test::TempDir dir;
    ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
    EXPECT_THROW(test::ends_in_time(dir / "pipe", [&] { return sha256_file(dir / "pipe"); }),
                 Error);
    EXPECT_THROW(open_regular_file("/dev/zero"), Error);
}

TEST(Sha256File, NamesAFileThatIsNotThere) {
    try {
        sha256_file("/nonexistent/a.bin");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::io);
        EXPECT_EQ(error.message(), "cannot open /nonexistent/a.bin: No such file or directory");
    }
}

TEST(Sha256File, StopsWhenAsked) {
    const test::TempDir dir;
    write_file_atomically(dir / "a.bin", "abc");
    std::stop_source source;
    source.request_stop();
    try {
        sha256_file(dir / "a.bin", source.get_token());
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    }
}

TEST(Digest, MakesTheAnswerOfAWebSocketsHandshake) {
    // RFC 6455 §1.3.
    EXPECT_EQ(base64_of_sha1("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"),
              "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("the sample nonce"), "dGhlIHNhbXBsZSBub25jZQ==");
    EXPECT_EQ(base64("ab"), "YWI=");
}

}  // namespace
}  // namespace podctl

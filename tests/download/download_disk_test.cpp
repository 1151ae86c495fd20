#include "podctl/base/digest.hpp"
#include "podctl/download/download.hpp"

#include "download_fixture.hpp"
#include "support/small_disk.hpp"

#include <gmock/gmock.h>

#include <atomic>

namespace podctl::download {
namespace {

using test::HttpServer;
using test::Request;
using test::Response;
using test::serve_bytes;
using test::SmallDisk;

TEST_F(Download, CopiesALocalFile) {
    write_file_atomically(dir / "a b.bin", bytes);
    request.sha256 = sha256_hex(bytes);
    const auto done = get("file://" + dir.path().string() + "/a%20b.bin");
    EXPECT_EQ(done.sha256, request.sha256);
    EXPECT_TRUE(content() == bytes);
    EXPECT_EQ(done.received, 0u);
}

TEST_F(Download, RefusesALocalFileThatIsMissingWrongOrItself) {
    EXPECT_EQ(failure("file://" + (dir / "none").string()).kind(), ErrorKind::not_found);
    EXPECT_EQ(failure("file://" + dir.path().string()).kind(), ErrorKind::not_found);
    write_file_atomically(request.partial, "mine");
    EXPECT_EQ(failure("file://" + request.partial.string()).kind(), ErrorKind::conflict);
    EXPECT_EQ(content(), "mine");
    write_file_atomically(dir / "x", "x");
    request.sha256 = std::string(64, '0');
    EXPECT_EQ(failure("file://" + (dir / "x").string()).kind(), ErrorKind::integrity);
    EXPECT_FALSE(has_partial());
}

TEST_F(Download, TakesAMirrorThatIsAFolder) {
    write_file_atomically(dir / "repo/m.bin", "weights");
    mirrors = {{"https://huggingface.co/", "file://" + dir.path().string() + "/"}};
    EXPECT_EQ(get("https://huggingface.co/repo/m.bin").sha256, sha256_hex("weights"));
}

TEST_F(Download, RefusesAPartialThatIsNoFileOrIsInUse) {
    std::filesystem::create_symlink(dir / "elsewhere", request.partial);
    EXPECT_EQ(failure("http://127.0.0.1:1/").kind(), ErrorKind::io);
    EXPECT_FALSE(std::filesystem::exists(dir / "elsewhere"));
    std::filesystem::remove(request.partial);
    HttpServer server([&](const Request& got) { return serve_bytes(got, bytes); });
    ErrorKind second = ErrorKind::internal;
    std::atomic<bool> asked = false;
    monitor.on_progress = [&](const Progress&) {
        if (asked.exchange(true)) return;
        DownloadRequest same = request;
        http::Client http;
        try {
            Downloader{http}.download(same, {}, {});
        } catch (const Error& error) {
            second = error.kind();
        }
    };
    get(server.url("/"));
    EXPECT_EQ(second, ErrorKind::locked);
}

TEST_F(Download, SaysBeforehandThatTheDiskIsTooSmall) {
    SmallDisk disk(dir / "disk");
    if (!disk.mounted()) GTEST_SKIP() << "no right to mount a tmpfs";
    request.partial = dir / "disk/m.part";
    HttpServer server([&](const Request& got) { return serve_bytes(got, bytes); });
    const auto error = failure(server.url("/"));
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_FALSE(error.hint().empty());
}

TEST_F(Download, KeepsWhatCameWhenTheDiskIsFull) {
    SmallDisk disk(dir / "disk");
    if (!disk.mounted()) GTEST_SKIP() << "no right to mount a tmpfs";
    request.partial = dir / "disk/m.part";
    HttpServer server([&](const Request&) {
        return Response{.headers = {{"Transfer-Encoding", "chunked"}, {"ETag", "\"1\""}},
                        .body = bytes};
    });
    EXPECT_EQ(failure(server.url("/")).kind(), ErrorKind::io);
    EXPECT_GT(std::filesystem::file_size(request.partial), 0u);
}

}  // namespace
}  // namespace podctl::download

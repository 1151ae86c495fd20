#include "podctl/download/get.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"

#include "control_file.hpp"
#include "support/error_of.hpp"
#include "support/http_server.hpp"
#include "support/hub.hpp"
#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace podctl::download {
namespace {

const std::string left_bytes = "what came before the process was killed";

class Get : public testing::Test {
protected:
    Got get(const std::string& url) {
        http::Client http;
        const GetRequest request{.source = {.text = url, .location = hub::UrlSource{url}},
                                 .folder = dir / "to"};
        Downloader downloader{http};
        return Getter{downloader}.get(request, {}, {});
    }
    std::filesystem::path partial_of(const std::string& url) const {
        return dir / "to" / ("." + sha256_hex(url).substr(0, 16) + ".podctl-part");
    }

    test::TempDir dir;
};

// Nobody is asked for what is there already, so the name is the one that the server said before.
TEST_F(Get, PlacesAFileWhoseProcessWasKilledAtItsEnd) {
    test::HttpServer server(
        [](const auto& request) { return test::serve_bytes(request, left_bytes); });
    const auto url = server.url("/download/17");
    const auto partial = partial_of(url);
    write_file_atomically(partial, left_bytes);
    ControlFile{partial}.start({{.source = sha256_hex(url),
                                 .etag = "\"1\"",
                                 .size = left_bytes.size(),
                                 .server_name = "named.txt"},
                                RangeSet{{0, left_bytes.size()}}});
    const auto got = get(url);
    EXPECT_EQ(got.path, dir / "to" / "named.txt");
    EXPECT_EQ(got.received, 0u);
    EXPECT_EQ(read_file(dir / "to" / "named.txt"), left_bytes);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator{dir / "to"}, {}), 1);
    EXPECT_TRUE(server.requests().empty());
}

// A tenant of the folder keeps the file open that podctl would have gone on with.
TEST_F(Get, IntoAFolderOfOthersPlacesAFileThatNobodyElseCanWrite) {
    std::filesystem::create_directories(dir / "to");
    std::filesystem::permissions(dir / "to", std::filesystem::perms::all);
    test::HttpServer server(
        [](const auto& request) { return test::serve_bytes(request, left_bytes); });
    const auto url = server.url("/a.txt");
    write_file_atomically(partial_of(url), "theirs");
    std::filesystem::permissions(partial_of(url), std::filesystem::perms{0666});
    const Fd theirs{::open(partial_of(url).c_str(), O_WRONLY | O_CLOEXEC)};
    const auto got = get(url);
    write_all(theirs.get(), "their bytes at the end of it all", "theirs");
    EXPECT_EQ(read_file(got.path), left_bytes);
    EXPECT_EQ(std::filesystem::status(got.path).permissions(), std::filesystem::perms{0644});
}

TEST_F(Get, TakesWhatItsHubWarnsOfOnlyWhereItIsTrusted) {
    test::Hub hub;
    hub.add(test::CivitaiVersion{
        .id = 11,
        .model_id = 1,
        .model_name = "m",
        .model_type = "Checkpoint",
        .files = {{.id = 111, .name = "m.txt", .bytes = "words\n", .virus_scan = "Danger"}}});
    http::Client http{{.credentials = {{hub.civitai().url("/"), Secret{test::Hub::civitai_key}}}}};
    Downloader downloader{http, Mirrors{hub.mirrors()}};
    Getter getter{downloader};
    GetRequest request{.source = hub::parse_source("civitai:1@11"), .folder = dir / "to"};
    const auto error = test::error_of([&] { getter.get(request, {}, {}); });
    EXPECT_EQ(error.kind(), ErrorKind::integrity);
    EXPECT_NE(error.hint().find("--trust"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(dir / "to"));
    request.trust = {"civitai:1@11"};
    EXPECT_EQ(getter.get(request, {}, {}).path, dir / "to" / "m.txt");
}

}  // namespace
}  // namespace podctl::download

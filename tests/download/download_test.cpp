#include "podctl/download/download.hpp"

#include "podctl/base/digest.hpp"

#include "control_file.hpp"
#include "download_fixture.hpp"
#include "support/in_memory.hpp"

#include <gmock/gmock.h>
#include <time.h>

namespace podctl::download {
namespace {

using test::HttpServer;
using test::MiB;
using test::Request;
using test::Response;
using test::serve_bytes;
using testing::HasSubstr;
using namespace std::chrono_literals;

TEST_F(Download, BringsAFileWithItsDigestAndName) {
    HttpServer server([&](const Request& got) {
        auto response = serve_bytes(got, bytes);
        response.headers.emplace_back(
            "Content-Disposition", "attachment; filename=\"a.bin\"; filename*=UTF-8''%C3%A4.bin");
        return response;
    });
    Progress last;
    monitor.on_progress = [&](const Progress& progress) { last = progress; };
    const auto done = get(server.url("/m.bin"));
    EXPECT_TRUE(content() == bytes);
    EXPECT_EQ(done.sha256, sha256_hex(bytes));
    EXPECT_EQ(done.size, bytes.size());
    EXPECT_EQ(done.received, bytes.size());
    EXPECT_EQ(done.server_name, "ä.bin");
    EXPECT_EQ(last.done, bytes.size());
    EXPECT_EQ(last.total, bytes.size());
    std::filesystem::remove(request.partial);
    forget(request.partial);
    EXPECT_FALSE(has_control());
}

TEST_F(Download, LeavesAFileInMemoryWhereThatHasRoom) {
    HttpServer server([&](const Request& got) { return serve_bytes(got, bytes); });
    get(server.url("/"));
    EXPECT_EQ(test::bytes_in_memory(request.partial), bytes.size());
    std::filesystem::remove(request.partial);
    forget(request.partial);
    write_file_atomically(dir / "from", bytes);
    get("file://" + (dir / "from").string());
    EXPECT_EQ(test::bytes_in_memory(request.partial), bytes.size());
}

TEST_F(Download, KnowsAWholeFileByItsRecordAndAsksNobodyAgain) {
    // A process that is killed before it has placed the file.
    HttpServer server([&](const Request& got) { return serve_bytes(got, bytes); });
    get(server.url("/"));
    forget(request.partial);  // only of a partial file that is gone
    int asked = 0;
    monitor.is_wanted = [&](const hub::Offer& offer) {
        ++asked;
        return offer.size == bytes.size();
    };
    const auto again = get(server.url("/"));
    EXPECT_EQ(again.received, 0u);
    EXPECT_EQ(again.sha256, sha256_hex(bytes));
    EXPECT_EQ(asked, 1);
    EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(Download, LeavesNothingOfAFileThatIsNotWanted) {
    HttpServer server([&](const Request& got) { return serve_bytes(got, bytes); });
    monitor.is_wanted = [](const hub::Offer&) { return false; };
    EXPECT_TRUE(get(server.url("/")).declined);
    EXPECT_FALSE(has_partial());
    EXPECT_FALSE(has_control());
}

TEST_F(Download, BringsAnEmptyFile) {
    HttpServer server([](const Request& got) { return serve_bytes(got, ""); });
    request.name = "empty.txt";
    EXPECT_EQ(get(server.url("/empty.txt")).sha256, sha256_hex(""));
}

TEST_F(Download, BringsAFileWhoseLengthNobodySays) {
    HttpServer server([&](const Request&) {
        return Response{.headers = {{"Transfer-Encoding", "chunked"}}, .body = bytes};
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(bytes));
}

TEST_F(Download, WaitsAsLongAsA429Or503Says) {
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) -> Response {
        const int n = ++answers;
        if (n == 1) return {.status = 429, .headers = {{"Retry-After", "1"}}};
        if (n > 2) return serve_bytes(got, bytes);
        char date[64];
        const time_t soon = ::time(nullptr) + 2;
        tm parts{};
        ::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", ::gmtime_r(&soon, &parts));
        return {.status = 503, .headers = {{"Retry-After", date}}};
    });
    std::vector<std::chrono::milliseconds> waits;
    monitor.retry.on_retry = [&](int, auto wait, const std::string&) { waits.push_back(wait); };
    EXPECT_EQ(get(server.url("/")).size, bytes.size());
    ASSERT_EQ(waits.size(), 2u);
    EXPECT_EQ(waits[0], 1s);
    EXPECT_GT(waits[1], 500ms);
}

TEST_F(Download, RefusesAWrongDigestAndRemovesTheBytes) {
    HttpServer server([&](const Request& got) { return serve_bytes(got, bytes); });
    request.sha256 = std::string(64, '0');
    const auto error = failure(server.url("/"));
    EXPECT_EQ(error.kind(), ErrorKind::integrity);
    EXPECT_THAT(error.message(), HasSubstr(sha256_hex(bytes)));
    EXPECT_FALSE(has_partial());
    EXPECT_FALSE(has_control());
}

TEST_F(Download, StartsAnewOnceWhenTheEarlierBytesWereWrong) {
    HttpServer server(cutting(1, 5 * MiB));
    request.sha256 = sha256_hex(bytes);
    monitor.retry.attempts = 1;
    failure(server.url("/"));
    auto damaged = content();
    damaged[100] = static_cast<char>(damaged[100] ^ 1);
    write_file_atomically(request.partial, damaged);
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(bytes));
    EXPECT_TRUE(content() == bytes);
}

TEST_F(Download, AsksNobodyWhenTheWholeFileIsThere) {
    HttpServer server([](const Request&) { return Response{.status = 500}; });
    write_file_atomically(request.partial, bytes);
    request.sha256 = sha256_hex(bytes);
    EXPECT_EQ(get(server.url("/")).received, 0u);
    EXPECT_TRUE(server.requests().empty());
}

TEST_F(Download, RefusesAnotherSizeThanTheExpectedBeforeItFetches) {
    HttpServer server([&](const Request& got) { return serve_bytes(got, bytes); });
    request.size = bytes.size() + 1;
    EXPECT_EQ(failure(server.url("/")).kind(), ErrorKind::integrity);
    EXPECT_FALSE(has_partial());
}

TEST_F(Download, NoticesALengthThatIsALie) {
    HttpServer server([&](const Request&) {
        return Response{.body = bytes, .content_length = bytes.size() + 5};
    });
    const auto error = failure(server.url("/"));
    EXPECT_EQ(error.kind(), ErrorKind::network);
}

TEST_F(Download, RefusesAWebPageInPlaceOfAModel) {
    HttpServer server([](const Request& got) -> Response {
        const bool typed = got.path == "/typed";
        return {.headers = {{"Content-Type", typed ? "text/html; charset=utf-8" : "application/x"}},
                .body = "\n<!DOCTYPE HTML><html>Log in</html>"};
    });
    for (const char* path : {"/typed", "/untyped"}) {
        const auto error = failure(server.url(path));
        EXPECT_EQ(error.kind(), ErrorKind::integrity);
        EXPECT_THAT(error.message(), HasSubstr("web page"));
        EXPECT_FALSE(has_partial());
    }
}

TEST_F(Download, TellsAWrongModelByItsFirstBytes) {
    // It is no page and has the size that it should.
    HttpServer server([](const Request& got) {
        auto response = serve_bytes(got, bytes);
        response.bytes_per_second = MiB;
        return response;
    });
    request.name = "m.gguf";
    EXPECT_THAT(failure(server.url("/m.gguf")).message(), HasSubstr("GGUF"));
    EXPECT_LT(server.body_bytes_sent(), bytes.size() / 2);
    EXPECT_FALSE(has_partial());
}

// As where a session or a captive portal's permission ends.
TEST_F(Download, KeepsWhatCameWhenAWebPageComesInPlaceOfTheRest) {
    std::atomic<bool> logged_in = true;
    HttpServer server([&](const Request& got) -> Response {
        if (!logged_in)
            return {.headers = {{"Content-Type", "text/html"}}, .body = "<html>Log in</html>"};
        auto response = serve_bytes(got, bytes);
        if (!got.header("range")) response.cut_after = 4 * MiB;
        logged_in = got.header("range").has_value();
        return response;
    });
    const auto error = failure(server.url("/"));
    EXPECT_THAT(error.message(), HasSubstr("a web page came"));
    ASSERT_TRUE(has_partial());
    logged_in = true;
    EXPECT_EQ(get(server.url("/")).received, bytes.size() - 4 * MiB);
    EXPECT_TRUE(content() == bytes);
}

TEST_F(Download, RefusesCompressedBytes) {
    HttpServer server([](const Request&) {
        return Response{.headers = {{"Content-Encoding", "gzip"}}, .body = "xxx"};
    });
    EXPECT_THAT(failure(server.url("/")).message(), HasSubstr("gzip"));
}

TEST_F(Download, SaysWhatAMissingFileAndARefusalAre) {
    HttpServer server([](const Request& got) {
        return Response{.status = got.path == "/none" ? 404 : 403, .body = "no"};
    });
    EXPECT_EQ(failure(server.url("/none")).kind(), ErrorKind::not_found);
    EXPECT_EQ(failure(server.url("/closed")).kind(), ErrorKind::unauthorized);
    EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(Download, HandsAHostileNameOverForTheCallerToMakeSafe) {
    HttpServer server([](const Request& got) {
        auto response = serve_bytes(got, "x");
        response.headers.emplace_back("Content-Disposition",
                                      "attachment; filename=\"../../etc/cron.d/x\"");
        return response;
    });
    EXPECT_EQ(get(server.url("/")).server_name, "../../etc/cron.d/x");
    EXPECT_EQ(content(), "x");
}

TEST_F(Download, BytesPresentAreThoseThatTheControlFileKnows) {
    EXPECT_EQ(bytes_present(request.partial), 0u);
    write_file_atomically(request.partial, std::string(1'000, 'x'));
    EXPECT_EQ(bytes_present(request.partial), 1'000u);
    ControlFile control{request.partial};
    control.start({.validators = {.size = 1'000}, .have = RangeSet{{0, 100}}});
    RangeSet more;
    more.add({800, 1'000});
    control.add(more);
    EXPECT_EQ(bytes_present(request.partial), 300u);
    std::filesystem::remove(request.partial);
    EXPECT_EQ(bytes_present(request.partial), 0u);
}

}  // namespace
}  // namespace podctl::download

#include "podctl/base/digest.hpp"
#include "podctl/download/download.hpp"

#include "download_fixture.hpp"
#include "support/raw_server.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>

namespace podctl::download {
namespace {

using test::HttpServer;
using test::MiB;
using test::Request;
using test::Response;
using test::serve_bytes;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

TEST_F(Download, AsksAtOnceAfterACutThatHadBroughtBytes) {
    HttpServer server(cutting(8, 64 << 10));
    request.sha256 = sha256_hex(bytes);
    int waits = 0;
    monitor.retry.on_retry = [&](int, std::chrono::milliseconds, const std::string&) { ++waits; };
    EXPECT_EQ(get(server.url("/")).received, bytes.size());
    EXPECT_EQ(waits, 0);
    EXPECT_EQ(server.requests().size(), 9u);
}

TEST_F(Download, GoesOnAfterCutsWithoutFetchingTwice) {
    // More cuts than attempts: they count only while nothing comes.
    HttpServer server(cutting(6, MiB));
    request.sha256 = sha256_hex(bytes);
    EXPECT_EQ(get(server.url("/")).received, bytes.size());
    EXPECT_TRUE(content() == bytes);
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 7u);
    EXPECT_EQ(requests[1].header("range"), "bytes=1048576-");
    EXPECT_EQ(requests[1].header("if-range"), "\"1\"");
}

TEST_F(Download, GoesOnAfterAStall) {
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) {
        auto response = serve_bytes(got, bytes);
        if (++answers == 1) response.stall_after = MiB;
        return response;
    });
    stall_timeout = 200ms;
    monitor.retry.attempts = 50;  // a machine under load may be as slow as a stall
    EXPECT_EQ(get(server.url("/")).received, bytes.size());
    EXPECT_TRUE(content() == bytes);
}

TEST_F(Download, GivesUpWhenNothingComesAndKeepsWhatCame) {
    HttpServer server([&](const Request& got) {
        auto response = serve_bytes(got, bytes);
        response.cut_after = got.header("range") ? 0 : MiB;
        return response;
    });
    const auto error = failure(server.url("/"));
    EXPECT_EQ(error.kind(), ErrorKind::network);
    EXPECT_THAT(error.hint(), HasSubstr("go on"));
    EXPECT_TRUE(content() == bytes.substr(0, MiB));
    EXPECT_TRUE(has_control());
}

TEST_F(Download, AsksAsOftenAsItMayWhereNoAnswerComes) {
    std::atomic<int> asked = 0;
    test::RawServer server([&](test::RawConnection& connection) {
        connection.read_head();
        if (++asked > 5) connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbytes");
    });
    monitor.retry.attempts = 6;
    EXPECT_EQ(get(server.url("/")).size, 5u);
    EXPECT_EQ(asked, 6);
}

TEST_F(Download, TellsOfNoFileWhereNoAnswerCame) {
    test::RawServer server([](test::RawConnection& connection) { connection.read_head(); });
    monitor.retry.attempts = 5;
    EXPECT_THAT(failure(server.url("/")).hint(), Not(HasSubstr("ETag")));
    EXPECT_EQ(server.connections(), 5u);
}

TEST_F(Download, GoesOnWhereAnEarlierCallEnded) {
    HttpServer server(cutting(1, 5 * MiB));
    monitor.retry.attempts = 1;
    failure(server.url("/?sig=secret"));
    EXPECT_THAT(read_file(dir / "m.bin.part.ctl"), Not(HasSubstr("secret")));
    const auto done = get(server.url("/?sig=secret"));
    EXPECT_EQ(done.received, bytes.size() - 5 * MiB);
    EXPECT_EQ(done.sha256, sha256_hex(bytes));
}

TEST_F(Download, StartsAnewForAnotherUrlOrAnotherDigest) {
    HttpServer server(cutting(2, 5 * MiB));
    monitor.retry.attempts = 1;
    failure(server.url("/a"));
    failure(server.url("/b"));
    EXPECT_FALSE(server.requests().at(1).header("range"));
    request.sha256 = sha256_hex(bytes);
    EXPECT_EQ(get(server.url("/b")).received, bytes.size());
}

TEST_F(Download, StartsAnewWhenTheFileChangedAtItsSource) {
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) {
        if (++answers > 1) return serve_bytes(got, newer, "\"2\"");
        auto response = serve_bytes(got, bytes, "\"1\"");
        response.cut_after = 2 * MiB;
        return response;
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(newer));
    EXPECT_TRUE(content() == newer);
}

TEST_F(Download, DoesNotTrustAServerThatSendsAPartOfAnotherFile) {
    // It ignores If-Range: only the ETag of the answer tells.
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) {
        auto plain = got;
        std::erase_if(plain.headers, [](const auto& header) { return header.first == "if-range"; });
        if (++answers > 1) return serve_bytes(plain, newer, "\"2\"");
        auto response = serve_bytes(plain, bytes, "\"1\"");
        response.cut_after = 2 * MiB;
        return response;
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(newer));
}

TEST_F(Download, SendsNoWeakEtagInIfRangeAndComparesIt) {
    HttpServer server(cutting(1, MiB, "W/\"1\""));
    EXPECT_EQ(get(server.url("/")).received, bytes.size());
    EXPECT_TRUE(content() == bytes);
    EXPECT_FALSE(server.requests().at(1).header("if-range"));
}

TEST_F(Download, UsesLastModifiedWhereThereIsNoEtag) {
    HttpServer server(cutting(1, MiB, ""));
    EXPECT_EQ(get(server.url("/")).received, bytes.size());
    EXPECT_THAT(server.requests().at(1).header("if-range").value_or(""), HasSubstr("2023"));
}

TEST_F(Download, DoesNotGoOnWhereNothingIdentifiesTheFile) {
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request&) {
        Response response{.body = bytes};
        if (++answers == 1) response.cut_after = MiB;
        return response;
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(bytes));
    EXPECT_FALSE(server.requests().at(1).header("range"));
}

TEST_F(Download, StartsAnewWhenTheServerIgnoresTheRange) {
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request&) {
        Response response{.headers = {{"ETag", "\"1\""}}, .body = bytes};
        if (++answers == 1) response.cut_after = MiB;
        return response;
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(bytes));
    EXPECT_TRUE(content() == bytes);
}

TEST_F(Download, DoesNotTakeARangeThatItDidNotAskFor) {
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) {
        auto response = serve_bytes(got, bytes);
        if (++answers == 1) response.cut_after = 2 * MiB;
        if (answers != 2) return response;
        // Of the right length, at the wrong place.
        response.headers = {
            {"ETag", "\"1\""},
            {"Content-Range",
             fmt::format("bytes 0-{}/{}", bytes.size() - 2 * MiB - 1, bytes.size())}};
        return response;
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(bytes));
}

TEST_F(Download, TakesA416ForTheEndWhenTheSizeAgrees) {
    // The first answer has no length, so the file's end is not known before the connection's.
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) {
        if (++answers > 1) return serve_bytes(got, bytes);
        return Response{.headers = {{"ETag", "\"1\""}, {"Transfer-Encoding", "chunked"}},
                        .body = bytes,
                        .cut_after = bytes.size() + 8};
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(bytes));
    EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(Download, BelievesTheRangeAnswerOfAServerWhoseLengthsAreTooLong) {
    HttpServer server([&](const Request& got) {
        auto response = serve_bytes(got, bytes);
        if (response.status == 200) response.content_length = bytes.size() + 5;
        return response;
    });
    const auto done = get(server.url("/"));
    EXPECT_EQ(done.sha256, sha256_hex(bytes));
    EXPECT_TRUE(content() == bytes);
    EXPECT_LT(server.body_bytes_sent(), bytes.size() + MiB);
}

TEST_F(Download, StartsAnewAfterA416OfAShorterFile) {
    const std::string shorter = bytes.substr(0, MiB);
    std::atomic<int> answers = 0;
    HttpServer server([&](const Request& got) {
        auto plain = got;
        std::erase_if(plain.headers, [](const auto& header) { return header.first == "if-range"; });
        if (++answers > 1) return serve_bytes(plain, shorter, "\"2\"");
        auto response = serve_bytes(plain, bytes);
        response.cut_after = 2 * MiB;
        return response;
    });
    EXPECT_EQ(get(server.url("/")).sha256, sha256_hex(shorter));
}

TEST_F(Download, StopsAtOnceAndKeepsWhatCame) {
    HttpServer server([&](const Request& got) {
        auto response = serve_bytes(got, bytes);
        response.stall_after = MiB;
        return response;
    });
    monitor.on_progress = [&](const Progress& progress) {
        if (progress.done == MiB) stop.request_stop();
    };
    EXPECT_EQ(failure(server.url("/")).kind(), ErrorKind::interrupted);
    EXPECT_TRUE(content() == bytes.substr(0, MiB));
    EXPECT_TRUE(has_control());
}

TEST_F(Download, StopsWhileItWaitsForTheNextAttempt) {
    HttpServer server([](const Request&) {
        return Response{.status = 503, .headers = {{"Retry-After", "600"}}};
    });
    monitor.retry.on_retry = [&](int, auto, const std::string&) { stop.request_stop(); };
    EXPECT_EQ(failure(server.url("/")).kind(), ErrorKind::interrupted);
}

}  // namespace
}  // namespace podctl::download

// What no honest server sends: each ends in an error, within bounds, and the client goes on.
#include "podctl/base/file.hpp"
#include "podctl/fetch/download.hpp"

#include "support/error_of.hpp"
#include "support/http_server.hpp"
#include "support/raw_server.hpp"
#include "support/temp_dir.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include <thread>

namespace podctl::fetch {
namespace {

using test::error_of;
using test::HttpServer;
using test::RawConnection;
using test::RawServer;
using test::Request;
using test::Response;
using testing::HasSubstr;
using namespace std::chrono_literals;

// The client has to be alive after it.
Error error_from(const std::string& url) {
    HttpClient http;
    const auto error = error_of([&] { http.send({.url = url, .timeout = 10s}); });
    HttpServer good([](const Request&) { return Response{.body = "fine"}; });
    EXPECT_EQ(http.send({.url = good.url("/")}).body, "fine");
    return error;
}

std::string error_after(const std::function<void(RawConnection&)>& answer) {
    RawServer server([&](RawConnection& connection) {
        connection.read_head();
        answer(connection);
    });
    const auto error = error_from(server.url("/"));
    EXPECT_EQ(error.kind(), ErrorKind::network) << error.message();
    return error.message();
}

void send_forever(RawConnection& connection, const std::string& bytes) {
    while (connection.send(bytes)) {
    }
}

TEST(HostileAnswer, ALongHeaderLineIsAnError) {
    for (const std::size_t size : {99u << 10, 102'401u, 110'000u, 400u << 10}) {
        HttpServer server([&](const Request&) {
            return Response{.headers = {{"X-Long", std::string(size, 'c')}}, .body = "x"};
        });
        if (size <= 99u << 10) {
            EXPECT_EQ(HttpClient{}.send({.url = server.url("/")}).body, "x");
            continue;
        }
        const auto error = error_from(server.url("/"));
        EXPECT_EQ(error.kind(), ErrorKind::network);
        EXPECT_THAT(error.message(), HasSubstr("headers of the answer are too large"));
        EXPECT_THAT(error.hint(), HasSubstr("proxy"));
    }
}

TEST(HostileAnswer, ALongHeaderLineBehindARedirectIsAnError) {
    HttpServer server([&](const Request& request) {
        if (request.path == "/") return Response{.status = 302, .headers = {{"Location", "/x"}}};
        return Response{.headers = {{"X-Long", std::string(110'000, 'c')}}};
    });
    EXPECT_EQ(error_from(server.url("/")).kind(), ErrorKind::network);
}

TEST(HostileAnswer, HeadersWithoutAnEndAreAnError) {
    EXPECT_THAT(error_after([](RawConnection& connection) {
                    connection.send("HTTP/1.1 200 OK\r\n");
                    send_forever(connection, "a: b\r\n");
                }),
                HasSubstr("too large"));
    EXPECT_THAT(error_after([](RawConnection& connection) {
                    connection.send("HTTP/1.1 200 OK\r\n");
                    send_forever(connection, "X-Long: " + std::string(60'000, 'x') + "\r\n");
                }),
                HasSubstr("too large"));
}

TEST(HostileAnswer, InterimAnswersWithoutAnEndAreAnError) {
    EXPECT_THAT(error_after([](RawConnection& connection) {
                    send_forever(connection, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
                }),
                HasSubstr("too large"));
}

TEST(HostileAnswer, TrailersWithoutAnEndAreAnError) {
    error_after([](RawConnection& connection) {
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n");
        send_forever(connection, "t: " + std::string(1000, 't') + "\r\n");
    });
    error_after([](RawConnection& connection) {
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
        send_forever(connection, std::string(100'000, 't'));
    });
}

// They are no byte of the answer, however many come.
TEST(HostileAnswer, StallsWhereOnlyChunkExtensionsCome) {
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const auto& [begin, rest] : std::vector<std::pair<std::string, std::string>>{
             {"1;", std::string(100'000, 'e')}, {"1\r\nx\r\n1;", std::string(100'000, 'e')}}) {
        RawServer server([&](RawConnection& connection) {
            connection.read_head();
            connection.send(head + begin);
            send_forever(connection, rest);
        });
        HttpClient http{{.stall_timeout = 200ms}};
        const auto error = error_of([&] {
            http.stream({.url = server.url("/"), .timeout = 10s},
                        {.on_headers = [](const HttpResponse&) { return true; },
                         .on_body = [](const char*, std::size_t) {}},
                        {});
        });
        EXPECT_THAT(error.message(), HasSubstr("no byte came for 200 ms"));
    }
}

TEST(HostileAnswer, AStatusLineOrChunkThatIsNoneIsAnError) {
    error_after([](RawConnection& connection) { send_forever(connection, "HTTP/1.1 200 OKKKKK"); });
    error_after(
        [](RawConnection& connection) { send_forever(connection, std::string(1000, '\0')); });
    error_after([](RawConnection& connection) {
        connection.send(
            std::string{"HTTP/1.1 200 OK\r\nA\0B: c\r\nContent-Length: 5\r\n\r\nx", 46});
    });
    error_after([](RawConnection& connection) {
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        send_forever(connection, "ffffffffffffffffff");
    });
}

TEST(HostileAnswer, AnInterimAnswerAloneIsNone) {
    EXPECT_THAT(error_after([](RawConnection& connection) {
                    connection.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nwords");
                }),
                HasSubstr("no answer came, but HTTP 101"));
}

class HostileDownload : public testing::Test {
protected:
    Error failure(const std::string& url) {
        request.url = url;
        return error_of([&] { download(request, http, {}, monitor, stop.get_token()); });
    }

    test::TempDir dir;
    DownloadRequest request{.partial = dir / "m.bin.part", .name = "m.bin"};
    DownloadMonitor monitor{.retry = {.attempts = 2, .first_wait = 1ms, .longest_wait = 5ms}};
    std::stop_source stop;
    HttpClient http;
};

TEST_F(HostileDownload, OfAnAnswerWithALongHeaderFails) {
    HttpServer server([&](const Request&) {
        return Response{.headers = {{"X-Long", std::string(110'000, 'c')}}, .body = "x"};
    });
    EXPECT_THAT(failure(server.url("/")).message(), HasSubstr("headers of the answer"));
}

// It starts over each time, since nothing tells whether the rest would be of the same file.
TEST_F(HostileDownload, ThatIsCutEachTimeSaysSo) {
    RawServer server([](RawConnection& connection) {
        connection.read_head();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nxxxxx");
    });
    monitor.retry.attempts = 100;
    const auto error = failure(server.url("/"));
    EXPECT_THAT(error.message(), testing::Not(HasSubstr("changes while")));
    EXPECT_THAT(error.hint(), HasSubstr("begins anew after each cut"));
}

TEST_F(HostileDownload, OfAnInterimAnswerAloneSaysSo) {
    RawServer server([](RawConnection& connection) {
        connection.read_head();
        connection.send("HTTP/1.1 101 Switching Protocols\r\n\r\nwords");
    });
    EXPECT_THAT(failure(server.url("/")).message(), HasSubstr("no answer came, but HTTP 101"));
}

// These hung for ever: a segment that was never asked for was waited for.
TEST_F(HostileDownload, OfAHostThatCannotBeAskedFailsAtOnce) {
    for (const char* url :
         {"http://a~b/x.safetensors", "https://exam%70le.com/x",
          "http://b\xC3\xBC"
          "cher.de/x",
          "http://a+b/x", "http://[fe80::1%25eth0]/x", "gopher://h/x", "http:///x", "http://h:0/x"})
        EXPECT_EQ(failure(url).kind(), ErrorKind::network) << url;
    EXPECT_FALSE(std::filesystem::exists(request.partial));
}

// A caller's own fault must not leave streams behind that deliver to a transfer which is gone.
TEST_F(HostileDownload, EndsItsStreamsWhateverIsThrown) {
    HttpServer server([&](const Request& got) {
        auto response = test::serve_bytes(got, std::string(4 << 20, 'x'));
        response.bytes_per_second = 1 << 20;
        return response;
    });
    monitor.on_progress = [](const Progress& progress) {
        if (progress.done > 0) throw std::bad_alloc{};
    };
    request.url = server.url("/");
    EXPECT_THROW(download(request, http, {}, monitor, stop.get_token()), std::bad_alloc);
    monitor.is_wanted = [](const Offer&) -> bool { throw std::bad_alloc{}; };
    monitor.on_progress = {};
    EXPECT_THROW(download(request, http, {}, monitor, stop.get_token()), std::bad_alloc);
}

}  // namespace
}  // namespace podctl::fetch

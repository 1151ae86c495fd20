// What no honest server sends: each ends in an error, within bounds, and the client goes on.
#include "podctl/http/http.hpp"

#include "support/error_of.hpp"
#include "support/http_server.hpp"
#include "support/raw_server.hpp"

#include <gmock/gmock.h>

#include <thread>

namespace podctl::http {
namespace {

using test::error_of;
using test::HttpServer;
using test::RawConnection;
using test::RawServer;
using testing::HasSubstr;
using namespace std::chrono_literals;

// The client has to be alive after it.
Error error_from(const std::string& url) {
    Client http;
    const auto error = error_of([&] { http.send({.url = url, .timeout = 10s}); });
    HttpServer good([](const test::Request&) { return test::Response{.body = "fine"}; });
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
        HttpServer server([&](const test::Request&) {
            return test::Response{.headers = {{"X-Long", std::string(size, 'c')}}, .body = "x"};
        });
        if (size <= 99u << 10) {
            EXPECT_EQ(Client{}.send({.url = server.url("/")}).body, "x");
            continue;
        }
        const auto error = error_from(server.url("/"));
        EXPECT_EQ(error.kind(), ErrorKind::network);
        EXPECT_THAT(error.message(), HasSubstr("headers of the answer are too large"));
        EXPECT_THAT(error.hint(), HasSubstr("proxy"));
    }
}

TEST(HostileAnswer, ALongHeaderLineBehindARedirectIsAnError) {
    HttpServer server([&](const test::Request& request) {
        if (request.path == "/")
            return test::Response{.status = 302, .headers = {{"Location", "/x"}}};
        return test::Response{.headers = {{"X-Long", std::string(110'000, 'c')}}};
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
    const std::string rest(100'000, 'e');
    for (const std::string begin : {"1;", "1\r\nx\r\n1;"}) {
        RawServer server([&](RawConnection& connection) {
            connection.read_head();
            connection.send(head + begin);
            send_forever(connection, rest);
        });
        Client http{{.stall_timeout = 200ms}};
        const auto error = error_of([&] {
            http.stream({.url = server.url("/"), .timeout = 10s},
                        {.on_headers = [](const Response&) { return true; },
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

}  // namespace
}  // namespace podctl::http

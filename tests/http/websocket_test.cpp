#include "podctl/http/websocket.hpp"

#include "podctl/base/error.hpp"

#include "support/error_of.hpp"
#include "support/set_env.hpp"
#include "support/websocket.hpp"
#include "websocket_frame.hpp"

#include <gmock/gmock.h>

#include <future>

namespace podctl::http {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;
using test::WebSocketPeer;

constexpr auto patience = 20s;

// A server that shakes hands and then talks.
test::HttpServer talking(std::function<void(WebSocketPeer&)> talk) {
    return test::HttpServer{[talk = std::move(talk)](const test::Request& request) {
        return test::to_websocket(request, talk);
    }};
}

void until_it_leaves(WebSocketPeer& peer) {
    while (peer.next()) {
    }
}

TEST(WebSocket, ReceivesTextsOfEveryLength) {
    const std::vector<std::string> sent{"", "short", std::string(125, 'a'), std::string(126, 'b'),
                                        std::string(70'000, 'c')};
    auto server = talking([&](WebSocketPeer& peer) {
        for (const auto& text : sent)
            peer.send_text(text);
        until_it_leaves(peer);
    });
    Client http;
    WebSocket socket{http, server.url("/ws?clientId=1"), patience};
    for (const auto& text : sent)
        EXPECT_EQ(socket.receive(patience), text);
    const auto asked = server.requests().at(0);
    EXPECT_EQ(asked.target, "/ws?clientId=1");
    EXPECT_EQ(asked.header("upgrade"), "websocket");
    EXPECT_EQ(asked.header("host"), server.url().substr(7));
    EXPECT_EQ(asked.header("origin"), std::nullopt);
}

TEST(WebSocket, PutsPartsTogetherAndPassesBinaryOver) {
    auto server = talking([](WebSocketPeer& peer) {
        peer.send(WebSocketPeer::binary, "image");
        peer.send(WebSocketPeer::text, "one ", WebSocketPeer::Part::more_follows);
        peer.send(WebSocketPeer::ping, "are you there");
        peer.send(WebSocketPeer::continuation, "two");
        until_it_leaves(peer);
    });
    Client http;
    WebSocket socket{http, server.url("/"), patience};
    EXPECT_EQ(socket.receive(patience), "one two");
}

TEST(WebSocket, AnswersAPingWithAMaskedPong) {
    auto server = talking([](WebSocketPeer& peer) {
        peer.send(WebSocketPeer::ping, "are you there");
        const auto answer = peer.next();
        peer.send_text(answer && answer->masked && answer->opcode == 10 ? answer->payload : "no");
        until_it_leaves(peer);
    });
    Client http;
    WebSocket socket{http, server.url("/"), patience};
    EXPECT_EQ(socket.receive(patience), "are you there");
}

TEST(WebSocket, SaysGoodbye) {
    std::promise<std::optional<WebSocketPeer::Frame>> last;
    auto server = talking([&](WebSocketPeer& peer) { last.set_value(peer.next()); });
    Client http;
    WebSocket{http, server.url("/"), patience};
    const auto frame = last.get_future().get();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->opcode, WebSocketPeer::close);
    EXPECT_EQ(frame->payload, std::string("\x03\xE8", 2));
}

TEST(WebSocket, NothingWithinTheTimeIsNoError) {
    auto server = talking(until_it_leaves);
    Client http;
    WebSocket socket{http, server.url("/"), patience};
    EXPECT_EQ(socket.receive(20ms), std::nullopt);
    EXPECT_EQ(socket.receive(0ms), std::nullopt);
}

TEST(WebSocket, TellsThatItWasClosedOrCut) {
    for (const auto* how : {"closed", "cut", "nonsense"}) {
        auto server = talking([&](WebSocketPeer& peer) {
            if (how == std::string("closed")) {
                peer.send(WebSocketPeer::close, "\x03\xE9");
                until_it_leaves(peer);
            }
            if (how == std::string("nonsense")) peer.send_raw("HTTP/1.1 500 nobody home\r\n\r\n");
        });
        Client http;
        WebSocket socket{http, server.url("/"), patience};
        EXPECT_EQ(test::error_of([&] { socket.receive(patience); }).kind(), ErrorKind::network)
            << how;
    }
}

TEST(WebSocket, RefusesWhoeverDoesNotSpeakIt) {
    test::HttpServer page{[](const auto&) { return test::Response{.body = "<html>"}; }};
    test::HttpServer liar{[](const auto&) {
        return test::Response{.status = 101, .headers = {{"Sec-WebSocket-Accept", "x"}}};
    }};
    Client http;
    const auto no_socket = test::error_of([&] { WebSocket{http, page.url("/ws"), patience}; });
    EXPECT_EQ(no_socket.kind(), ErrorKind::network);
    EXPECT_THAT(no_socket.message(), HasSubstr("no WebSocket there: HTTP/1.1 200 OK"));
    EXPECT_THAT(test::error_of([&] {
                    WebSocket{http, liar.url("/ws"), patience};
                }).message(),
                HasSubstr("the handshake was not answered"));
}

TEST(WebSocket, TellsThatNobodyListens) {
    const auto port = test::HttpServer{[](const auto&) { return test::Response{}; }}.port();
    Client http;
    const auto error = test::error_of([&] {
        WebSocket{http, "http://127.0.0.1:" + std::to_string(port) + "/ws", patience};
    });
    EXPECT_EQ(error.kind(), ErrorKind::network);
}

TEST(WebSocket, StopsWhileItWaits) {
    std::stop_source stop;
    auto server = talking([&](WebSocketPeer& peer) {
        stop.request_stop();
        until_it_leaves(peer);
    });
    Client http;
    const auto error = test::error_of([&] {
        WebSocket socket{http, server.url("/"), patience, stop.get_token()};
        socket.receive(patience, stop.get_token());
    });
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
}

TEST(WebSocket, GoesThroughAProxyByConnect) {
    // What a proxy sees first; what comes behind it is the socket's own business.
    test::HttpServer proxy{[](const test::Request&) { return test::Response{.status = 403}; }};
    const test::SetEnv proxied{"http_proxy", proxy.url().c_str()};
    Client http;
    test::error_of([&] { WebSocket{http, "http://comfy.example:8188/ws", patience}; });
    ASSERT_EQ(proxy.requests().size(), 1u);
    EXPECT_EQ(proxy.requests()[0].method, "CONNECT");
    EXPECT_EQ(proxy.requests()[0].target, "comfy.example:8188");
}

TEST(FrameReader, TakesFramesByteByByte) {
    const std::string bytes =
        std::string("\x81\x02hi", 4) + std::string("\x82\x7E\x00\x7E", 4) + std::string(126, 'x');
    FrameReader reader{1000};
    std::vector<std::string> payloads;
    for (const char byte : bytes) {
        reader.feed({&byte, 1});
        while (const auto frame = reader.next())
            payloads.push_back(frame->payload);
    }
    EXPECT_THAT(payloads, ::testing::ElementsAre("hi", std::string(126, 'x')));
}

TEST(FrameReader, RefusesWhatNoServerSends) {
    for (const auto& bytes : {
             std::string("\x81\x82mask", 6),                               // masked
             std::string("\xC1\x00", 2),                                   // an extension
             std::string("\x83\x00", 2),                                   // an unknown opcode
             std::string("\x09\x00", 2),                                   // a ping in parts
             std::string("\x89\x7E\x01\x00", 4),                           // a long ping
             std::string("\x81\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 10),  // endless
         }) {
        FrameReader reader{1000};
        reader.feed(bytes);
        EXPECT_EQ(test::error_of([&] { reader.next(); }).kind(), ErrorKind::network);
    }
}

}  // namespace
}  // namespace podctl::http

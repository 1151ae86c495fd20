#include "podctl/http/body_reader.hpp"

#include "podctl/base/error.hpp"

#include "support/error_of.hpp"
#include "support/http_server.hpp"
#include "support/random_bytes.hpp"

#include <gmock/gmock.h>

#include <array>
#include <chrono>
#include <thread>

namespace podctl::http {
namespace {

using test::error_of;
using test::HttpServer;
using namespace std::chrono_literals;

std::string read_all(BodyReader& reader) {
    std::string all;
    std::array<char, 10'000> part{};
    while (const auto size = reader.read(part))
        all.append(part.data(), size);
    return all;
}

TEST(BodyReader, GivesTheWholeBodyInParts) {
    const std::string body = test::random_bytes(7 << 20, 1);
    HttpServer server([&](const test::Request&) { return test::Response{.body = body}; });
    Client http;
    BodyReader reader{http, {.url = server.url("/")}, {}};
    EXPECT_EQ(reader.answer().status, 200);
    EXPECT_TRUE(read_all(reader) == body);
    std::array<char, 8> more{};
    EXPECT_EQ(reader.read(more), 0u);
}

TEST(BodyReader, LeavesInTheNetworkWhatNobodyReads) {
    constexpr std::size_t size = 128 << 20;
    HttpServer server(
        [](const test::Request&) { return test::Response{.body = std::string(size, 'x')}; });
    Client http;
    std::vector<char> some(8);
    BodyReader reader{http, {.url = server.url("/")}, {}};
    auto got = reader.read(some);
    // Another request in between: the client's thread has gone round since.
    for (int i = 0; i < 20; ++i)
        http.send({.url = server.url("/"), .method = "HEAD"});
    EXPECT_LT(server.body_bytes_sent(), size / 2);
    some.resize(1 << 20);
    while (const auto more = reader.read(some))
        got += more;
    EXPECT_EQ(got, size);
}

TEST(BodyReader, TellsABodyThatWasCutAfterGivingWhatCame) {
    HttpServer server([](const test::Request&) {
        return test::Response{.body = std::string(1000, 'x'), .cut_after = 300};
    });
    Client http;
    BodyReader reader{http, {.url = server.url("/")}, {}};
    std::string got;
    const auto error = error_of([&] {
        std::array<char, 64> part{};
        while (const auto size = reader.read(part))
            got.append(part.data(), size);
    });
    EXPECT_EQ(error.kind(), ErrorKind::network);
    EXPECT_EQ(got.size(), 300u);
}

TEST(BodyReader, EndsAWaitAtOnceWhenAStopIsRequested) {
    HttpServer server([](const test::Request&) {
        return test::Response{.body = std::string(1000, 'x'), .stall_after = 10};
    });
    Client http;
    std::stop_source stop;
    BodyReader reader{http, {.url = server.url("/")}, stop.get_token()};
    std::array<char, 64> part{};
    EXPECT_EQ(reader.read(part), 10u);
    const std::jthread stopper([&] { stop.request_stop(); });
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(error_of([&] { reader.read(part); }).kind(), ErrorKind::interrupted);
    EXPECT_LT(std::chrono::steady_clock::now() - before, 1s);
}

TEST(BodyReader, CutsAStalledBodyByItsOwnTime) {
    HttpServer server([](const test::Request&) {
        return test::Response{.body = std::string(1000, 'x'), .stall_after = 10};
    });
    Client http;
    BodyReader reader{http, {.url = server.url("/"), .stall_timeout = 100ms}, {}};
    EXPECT_THAT(error_of([&] { read_all(reader); }).message(),
                testing::HasSubstr("no byte came for 100 ms"));
}

}  // namespace
}  // namespace podctl::http

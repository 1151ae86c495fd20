#include "http_rules.hpp"

#include "podctl/base/error.hpp"
#include "podctl/http/http_message.hpp"
#include "podctl/http/url_rules.hpp"

#include "support/error_of.hpp"

#include <gmock/gmock.h>

namespace podctl::http {
namespace {

using namespace std::chrono_literals;

Response answer(std::string name, std::string value, int status = 302) {
    return {.status = status, .headers = {{std::move(name), std::move(value)}}};
}

TEST(HttpRules, RefuseAStepDownToPlainHttp) {
    const auto from = checked_url("https://hub.example/a");
    const auto down = answer("location", "http://store.example/x");
    EXPECT_THROW(redirect_of(down, from, "GET", {}), Error);
    EXPECT_TRUE(redirect_of(down, from, "GET", {.insecure_http = Options::InsecureHttp::allow}));
    EXPECT_TRUE(redirect_of(answer("location", "http://127.0.0.1:1/x"), from, "GET", {}));
}

TEST(HttpRules, CountAnotherPortOrSchemeAsAnotherOrigin) {
    const auto from = checked_url("https://hub.example/a/b");
    const auto origin = [&](const char* target) {
        return redirect_of(answer("location", target), from, "GET", {})->origin;
    };
    EXPECT_EQ(origin("c?x=1"), Origin::same);
    EXPECT_EQ(origin("https://HUB.example:443/c"), Origin::same);
    EXPECT_EQ(origin("https://hub.example:8443/c"), Origin::crossed);
    EXPECT_EQ(origin("https://b2.hub.example/c"), Origin::crossed);
    EXPECT_EQ(origin("//hub.example.evil/c"), Origin::crossed);
}

TEST(HttpRules, EncodeOnlyWhatNoUrlMayHold) {
    EXPECT_EQ(checked_url("https://h/a b?x=%2f+|\xC3\xA4").to_string(),
              "https://h/a%20b?x=%2f+|%C3%A4");
    for (const char* text : {"ftp://h/x", "https://", "https://a b/x", "https://h\\@evil/x", "x"})
        EXPECT_THROW(checked_url(text), Error) << text;
}

TEST(HttpRules, ShowNoQueryAndNoPassword) {
    EXPECT_EQ(shown("https://u:p@h/a?sig=x#f"), "https://h/a");
    EXPECT_EQ(shown("no url?sig=x"), "no url");
}

TEST(HttpRules, PreferTheLongestPrefix) {
    const Options options{
        .credentials = {{"https://h/", Secret{"a"}}, {"https://h/deep/", Secret{"b"}}}};
    EXPECT_EQ(authorization_for(checked_url("https://h/deep/x"), options).token->reveal(), "b");
    EXPECT_EQ(authorization_for(checked_url("https://h/x"), options).token->reveal(), "a");
    EXPECT_FALSE(authorization_for(checked_url("http://h/x"), options).token);
}

TEST(HttpRules, GiveAHeaderToItsPlaceAlone) {
    const auto with = [](const std::string& name, const std::string& value) {
        return Options{.headers = {{"https://pod.example/a", name, Secret{value}},
                                   {"http://pod.example/", "X", Secret{"plain"}}}};
    };
    const auto lines_for = [](const std::string& url, const Options& options) {
        return placed_header_lines(checked_url(url), options);
    };
    const auto good = with("Authorization", "Bearer x");
    EXPECT_THAT(lines_for("https://pod.example/a/ws", good),
                ::testing::ElementsAre("Authorization: Bearer x"));
    for (const auto* other : {"https://pod.example/", "https://pod.example/ab",
                              "https://other.example/a", "http://pod.example/a"})
        EXPECT_THAT(lines_for(other, good), ::testing::IsEmpty()) << other;
    for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
             {"", "x"}, {"A B", "x"}, {"A:", "x"}, {"A", ""}, {"A", "x\r\nB: y"}, {"A\n", "x"}})
        EXPECT_EQ(
            test::error_of([&] { lines_for("https://pod.example/a", with(name, value)); }).kind(),
            ErrorKind::usage)
            << name;
}

TEST(HttpMessage, ReadsContentRangesAndNothingElse) {
    const auto range = content_range(answer("content-range", "bytes 10-19/100"));
    ASSERT_TRUE(range);
    EXPECT_EQ(range->first, 10u);
    EXPECT_EQ(range->last, 19u);
    EXPECT_EQ(range->total, 100u);
    EXPECT_EQ(content_range(answer("content-range", "bytes */7"))->total, 7u);
    EXPECT_FALSE(content_range(answer("content-range", "bytes 10-19/*"))->total);
    for (const char* text : {"", "bytes", "bytes 1-2", "bytes 9-1/10", "bytes -1-2/3",
                             "items 0-1/2", "bytes 0-18446744073709551616/*", "bytes 0-1/x"})
        EXPECT_FALSE(content_range(answer("content-range", text))) << text;
}

TEST(HttpMessage, ReadsRetryAfterInEveryForm) {
    const auto now = std::chrono::system_clock::from_time_t(784111770);
    EXPECT_EQ(retry_after(answer("retry-after", "3"), now), 3s);
    EXPECT_EQ(retry_after(answer("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), now), 7s);
    EXPECT_EQ(retry_after(answer("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), now), 0s);
    EXPECT_EQ(retry_after(answer("ratelimit", "\"api\";r=0;t=55"), now), 56s);
    EXPECT_FALSE(retry_after(answer("retry-after", "soon"), now));
}

TEST(HttpMessage, ReadsADateBeyondWhatAClockHolds) {
    const auto now = std::chrono::system_clock::from_time_t(784111770);
    EXPECT_GT(retry_after(answer("retry-after", "Sun, 06 Nov 5767 08:49:37 GMT"), now), 24h);
    EXPECT_EQ(retry_after(answer("retry-after", "Sun, 06 Nov 0001 08:49:37 GMT"), now), 0s);
}

TEST(HttpMessage, ReadsTheNameOfADisposition) {
    const auto name = [](const char* text) {
        return disposition_name(answer("content-disposition", text));
    };
    EXPECT_EQ(name("attachment; filename=a.bin"), "a.bin");
    EXPECT_EQ(name("attachment; filename=\"a;\\\"b.bin\"; x=y"), "a;\"b.bin");
    EXPECT_EQ(name("attachment; filename=a; filename*=UTF-8''%e2%82%ac.bin"), "€.bin");
    EXPECT_EQ(name("attachment"), "");
    EXPECT_EQ(name("attachment; filename=\"open"), "open");
}

}  // namespace
}  // namespace podctl::http

#include "podctl/http/http.hpp"

#include "podctl/base/error.hpp"

#include "support/error_of.hpp"
#include "support/http_server.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>
#include <thread>

namespace podctl::http {
namespace {

using test::HttpServer;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

Client client_with_token(const HttpServer& server, const std::string& prefix = "/") {
    return Client{{.credentials = {{server.url(prefix), Secret{"tok-123"}}}}};
}

test::Response redirect_to(const std::string& url, int status = 302) {
    return {.status = status, .headers = {{"Location", url}}};
}

using test::error_of;

TEST(Http, SaysWhoItIsAndAsksForPlainBytes) {
    HttpServer server([](const test::Request&) { return test::Response{.body = "hello"}; });
    const auto response = Client{}.send({.url = server.url("/a?b=c%2Fd")});
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "hello");
    const auto request = server.requests().at(0);
    EXPECT_EQ(request.target, "/a?b=c%2Fd");
    EXPECT_EQ(request.header("accept-encoding"), "identity");
    EXPECT_THAT(request.header("user-agent").value(), testing::StartsWith("podctl/"));
}

TEST(Http, SendsABodyAndReusesTheConnection) {
    HttpServer server(
        [](const test::Request& request) { return test::Response{.body = request.body}; });
    Client http;
    const std::string body(300'000, 'x');
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(http.send({.url = server.url("/"), .method = "POST", .body = body}).body, body);
    EXPECT_EQ(server.requests().at(2).method, "POST");
}

TEST(Http, SendsTheTokenOnlyUnderItsPrefix) {
    HttpServer server([](const test::Request&) { return test::Response{}; });
    auto http = client_with_token(server, "/hub/");
    for (const char* path : {"/hub/x", "/other/x", "/hub/../other", "/hub/%2e%2e/other", "/hubby"})
        http.send({.url = server.url(path)});
    const auto requests = server.requests();
    EXPECT_EQ(requests.at(0).header("authorization"), "Bearer tok-123");
    for (std::size_t i = 1; i < requests.size(); ++i)
        EXPECT_FALSE(requests[i].header("authorization")) << requests[i].target;
}

TEST(Http, DoesNotTakeALongerHostNameForThePrefix) {
    HttpServer server([](const test::Request&) { return test::Response{}; });
    // http://127.0.0.1:8 is a prefix of the text http://127.0.0.1:8xxx.
    auto prefix = server.url("");
    prefix.pop_back();
    Client http{{.credentials = {{prefix, Secret{"tok-123"}}}}};
    http.send({.url = server.url("/x")});
    EXPECT_FALSE(server.requests().at(0).header("authorization"));
}

TEST(Http, DropsTheTokenWhenARedirectLeavesTheOrigin) {
    HttpServer store([](const test::Request&) { return test::Response{.body = "bytes"}; });
    HttpServer hub(
        [&](const test::Request&) { return redirect_to(store.url("/x?sig=a%2Bb"), 307); });
    auto http = client_with_token(hub);
    const auto response =
        http.send({.url = hub.url("/m"), .headers = {{"Cookie", "c=1"}, {"Range", "bytes=0-"}}});
    EXPECT_EQ(response.body, "bytes");
    EXPECT_EQ(response.url, store.url("/x?sig=a%2Bb"));
    EXPECT_TRUE(hub.requests().at(0).header("authorization"));
    EXPECT_FALSE(store.requests().at(0).header("authorization"));
    EXPECT_FALSE(store.requests().at(0).header("cookie"));
    EXPECT_TRUE(store.requests().at(0).header("range"));
    EXPECT_EQ(store.requests().at(0).target, "/x?sig=a%2Bb");
}

TEST(Http, DropsAHeaderOfItsPlaceWhenARedirectLeavesTheOrigin) {
    HttpServer other([](const test::Request&) { return test::Response{}; });
    HttpServer pod([&](const test::Request&) { return redirect_to(other.url("/"), 307); });
    Client http{{.headers = {{pod.url("/"), "X-Door", Secret{"open"}}}}};
    http.send({.url = pod.url("/x")});
    EXPECT_EQ(pod.requests().at(0).header("x-door"), "open");
    EXPECT_FALSE(other.requests().at(0).header("x-door"));
}

TEST(Http, GivesNoTokenToARedirectsTargetThatHasACredentialOfItsOwn) {
    HttpServer other([](const test::Request&) { return test::Response{}; });
    HttpServer hub([&](const test::Request&) { return redirect_to(other.url("/")); });
    Client http{{.credentials = {{other.url("/"), Secret{"other-token"}}}}};
    http.send({.url = hub.url("/")});
    EXPECT_FALSE(other.requests().at(0).header("authorization"));
}

TEST(Http, DoesNotGiveTheTokenBackAfterARoundTripThroughAnotherOrigin) {
    std::atomic<const HttpServer*> hub_address{nullptr};
    HttpServer other(
        [&](const test::Request&) { return redirect_to(hub_address.load()->url("/end")); });
    HttpServer hub([&](const test::Request& request) {
        return request.path == "/end" ? test::Response{} : redirect_to(other.url("/"));
    });
    hub_address = &hub;
    client_with_token(hub).send({.url = hub.url("/start")});
    ASSERT_EQ(hub.requests().size(), 2u);
    EXPECT_FALSE(hub.requests().at(1).header("authorization"));
}

TEST(Http, KeepsTheTokenOnARedirectWithinTheOrigin) {
    HttpServer hub([](const test::Request& request) {
        return request.path == "/new/x" ? test::Response{.body = "ok"} : redirect_to("new/x");
    });
    EXPECT_EQ(client_with_token(hub).send({.url = hub.url("/old")}).body, "ok");
    EXPECT_EQ(hub.requests().at(1).header("authorization"), "Bearer tok-123");
}

TEST(Http, ReportsARedirectWhenItIsToldTo) {
    HttpServer hub([](const test::Request&) { return redirect_to("http://192.0.2.1/x"); });
    const auto response = Client{}.send(
        {.url = hub.url("/"), .method = "HEAD", .redirects = Request::Redirects::report});
    EXPECT_EQ(response.status, 302);
    EXPECT_EQ(response.header("location"), "http://192.0.2.1/x");
}

TEST(Http, GivesUpAfterTenRedirects) {
    HttpServer server([](const test::Request&) { return redirect_to("/again"); });
    const auto error = error_of([&] { Client{}.send({.url = server.url("/")}); });
    EXPECT_EQ(error.kind(), ErrorKind::not_found);  // a network fault would be tried again
    EXPECT_THAT(error.message(), HasSubstr("10 redirects"));
    EXPECT_EQ(server.requests().size(), 11u);
}

TEST(Http, FollowsNoRedirectToAnotherScheme) {
    HttpServer server([](const test::Request&) { return redirect_to("file:///etc/passwd"); });
    EXPECT_EQ(error_of([&] { Client{}.send({.url = server.url("/")}); }).kind(),
              ErrorKind::network);
}

TEST(Http, WithholdsTheTokenFromPlainHttpBeyondLoopback) {
    HttpServer proxy([](const test::Request&) { return test::Response{.status = 401}; });
    ::setenv("http_proxy", proxy.url().c_str(), 1);
    const Request request{.url = "http://hub.invalid/x"};
    const std::vector<Credential> credentials{{"http://hub.invalid/", Secret{"tok-123"}}};
    EXPECT_TRUE(Client{{.credentials = credentials}}.send(request).token_withheld);
    Client allowed{{.credentials = credentials, .insecure_http = Options::InsecureHttp::allow}};
    EXPECT_FALSE(allowed.send(request).token_withheld);
    ::unsetenv("http_proxy");
    // The proxy of the environment was asked, in the absolute form.
    EXPECT_EQ(proxy.requests().at(0).target, "http://hub.invalid/x");
    EXPECT_FALSE(proxy.requests().at(0).header("authorization"));
    EXPECT_EQ(proxy.requests().at(1).header("authorization"), "Bearer tok-123");
}

TEST(Http, SaysThatNobodyListensWithoutShowingTheQuery) {
    std::string url;
    {
        HttpServer gone([](const test::Request&) { return test::Response{}; });
        url = gone.url("/x?X-Amz-Signature=secret");
    }
    const auto error = error_of([&] { Client{}.send({.url = url}); });
    EXPECT_EQ(error.kind(), ErrorKind::network);
    EXPECT_THAT(error.message(), Not(HasSubstr("secret")));
    EXPECT_FALSE(error.hint().empty());
}

TEST(Http, CutsAStalledBodyAndALateAnswer) {
    HttpServer server([](const test::Request&) {
        return test::Response{.body = std::string(1000, 'x'), .stall_after = 10};
    });
    Client http{{.stall_timeout = 100ms}};
    EXPECT_THAT(error_of([&] { http.send({.url = server.url("/")}); }).message(),
                HasSubstr("no byte came for 100 ms"));
    Client patient;
    EXPECT_THAT(
        error_of([&] { patient.send({.url = server.url("/"), .timeout = 100ms}); }).message(),
        HasSubstr("within 100 ms"));
}

TEST(Http, RefusesAnAnswerThatIsTooLarge) {
    HttpServer server(
        [](const test::Request&) { return test::Response{.body = std::string(5000, 'x')}; });
    const auto error = error_of([&] { Client{}.send({.url = server.url("/"), .max_body = 4999}); });
    EXPECT_EQ(error.kind(), ErrorKind::network);
}

TEST(Http, StreamsTheBodyAndCanDeclineIt) {
    HttpServer server(
        [](const test::Request&) { return test::Response{.body = std::string(1 << 20, 'x')}; });
    Client http;
    std::size_t got = 0;
    bool wanted = true;
    const Client::Sink sink{.on_headers = [&](const Response&) { return wanted; },
                            .on_body = [&](const char*, std::size_t size) { got += size; }};
    EXPECT_EQ(http.stream({.url = server.url("/")}, sink).status, 200);
    EXPECT_EQ(got, 1u << 20);
    wanted = false;
    EXPECT_EQ(http.stream({.url = server.url("/")}, sink).status, 200);
    EXPECT_EQ(got, 1u << 20);
}

TEST(Http, LetsABodyWaitWhileOtherExchangesGoOn) {
    HttpServer server([](const test::Request& request) {
        return test::Response{.body = std::string(request.path == "/large" ? 8 << 20 : 2, 'x')};
    });
    Client http;
    std::atomic<bool> has_room = false;
    std::atomic<bool> was_asked = false;
    std::size_t got = 0;
    const Client::Sink sink{.on_headers = [](const Response&) { return true; },
                            .on_body = [&](const char*, std::size_t size) { got += size; },
                            .has_room =
                                [&] {
                                    was_asked = true;
                                    was_asked.notify_all();
                                    return has_room.load();
                                }};
    std::jthread large([&] { http.stream({.url = server.url("/large")}, sink); });
    was_asked.wait(false);
    EXPECT_EQ(http.send({.url = server.url("/small")}).body, "xx");
    EXPECT_EQ(got, 0u);
    has_room = true;
    large.join();
    EXPECT_EQ(got, std::size_t{8} << 20);
}

TEST(Http, CarriesAnExceptionOutOfACallback) {
    HttpServer server([](const test::Request&) { return test::Response{.body = "x"}; });
    const Client::Sink sink{
        .on_headers = [](const Response&) { return true; },
        .on_body = [](const char*, std::size_t) { throw std::out_of_range("mine"); }};
    Client http;
    EXPECT_THROW(http.stream({.url = server.url("/")}, sink), std::out_of_range);
}

TEST(Http, TellsACutBodyFromAWholeOne) {
    HttpServer server([](const test::Request&) {
        return test::Response{.body = std::string(1000, 'x'), .cut_after = 500};
    });
    EXPECT_EQ(error_of([&] { Client{}.send({.url = server.url("/")}); }).kind(),
              ErrorKind::network);
}

TEST(Http, StopsAtOnceWhenAskedTo) {
    HttpServer server(
        [](const test::Request&) { return test::Response{.body = "xyz", .stall_after = 1}; });
    Client http;
    std::stop_source source;
    const Client::Sink sink{.on_headers = [](const Response&) { return true; },
                            .on_body = [&](const char*, std::size_t) { source.request_stop(); }};
    const auto started = std::chrono::steady_clock::now();
    const auto error =
        error_of([&] { http.stream({.url = server.url("/")}, sink, source.get_token()); });
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    EXPECT_LT(std::chrono::steady_clock::now() - started, 5s);
    EXPECT_EQ(error_of([&] { http.send({.url = server.url("/")}, source.get_token()); }).kind(),
              ErrorKind::interrupted);
}

TEST(Http, ServesManyThreadsAtOnce) {
    HttpServer server(
        [](const test::Request& request) { return test::Response{.body = request.path}; });
    Client http;
    std::atomic<int> right = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&, path = fmt::format("/{}", i)] {
            for (int n = 0; n < 20; ++n)
                right += http.send({.url = server.url(path)}).body == path;
        });
    threads.clear();
    EXPECT_EQ(right, 160);
}

}  // namespace
}  // namespace podctl::http

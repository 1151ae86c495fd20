#include "reach.hpp"

#include "podctl/base/host.hpp"
#include "podctl/http/http.hpp"

#include "support/error_of.hpp"
#include "support/http_server.hpp"
#include "support/set_env.hpp"

#include <gmock/gmock.h>
#include <netdb.h>
#include <netinet/in.h>

#include <atomic>

namespace podctl::http {
namespace {

using test::error_of;
using test::HttpServer;
using testing::HasSubstr;

Url url_of(const std::string& text) {
    return parse_url(text).value();
}

// Names of the internet are asked of a proxy here: the only place where a test can have some.
class Reach : public testing::Test {
protected:
    Response send(const Request& request) { return Client{options}.send(request); }
    Error failure(const Request& request) {
        return error_of([&] { send(request); });
    }

    HttpServer inside{[](const test::Request&) { return test::Response{.body = "metadata"}; }};
    std::string target = inside.url("/latest");  // where the internet leads
    HttpServer proxy{[this](const test::Request&) {
        return test::Response{.status = 302, .headers = {{"Location", target}}};
    }};
    const std::string proxy_url = proxy.url();
    test::SetEnv http_proxy{"http_proxy", proxy_url.c_str()};
    test::SetEnv no_proxy{"no_proxy", ""};
    test::SetEnv no_proxy_in_capitals{"NO_PROXY", ""};
    Options options;
};

TEST_F(Reach, OfARedirectFromTheInternetEndsBeforeThisMachinesNetworks) {
    const auto port = url_of(inside.url()).port.value();
    for (const std::string host :
         {"127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]",
          "169.254.169.254", "10.0.0.1", "192.168.1.1", "[fd00::1]", "0.0.0.0"}) {
        target = "http://" + host + ":" + std::to_string(port) + "/latest";
        const auto error = failure({.url = "http://hub.example/x"});
        EXPECT_EQ(error.kind(), ErrorKind::not_found) << host << error.message();
        EXPECT_THAT(error.message(), HasSubstr("networks around this machine"));
        EXPECT_THAT(error.hint(), HasSubstr("--mirror"));
    }
    EXPECT_TRUE(inside.requests().empty());
}

TEST_F(Reach, IncludesThePlacesOfTheUsersOwnMirrors) {
    options.own_places = {inside.url("/")};
    EXPECT_EQ(send({.url = "http://hub.example/x"}).body, "metadata");
    options.own_places = {inside.url("/mirror/")};
    EXPECT_EQ(failure({.url = "http://hub.example/x"}).kind(), ErrorKind::not_found);
}

TEST_F(Reach, IsEverywhereForWhatStartsInside) {
    HttpServer mirror([&](const test::Request&) {
        return test::Response{.status = 302, .headers = {{"Location", inside.url("/")}}};
    });
    const auto response = send({.url = mirror.url("/")});
    EXPECT_EQ(response.body, "metadata");
    EXPECT_FALSE(response.from_internet);
}

TEST_F(Reach, IsToldWithTheAnswerForWhatIsAskedNext) {
    const auto first =
        send({.url = "http://hub.example/x", .redirects = Request::Redirects::report});
    EXPECT_TRUE(first.from_internet);
    const auto error = failure({.url = inside.url("/"), .reach = Request::Reach::internet});
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_TRUE(inside.requests().empty());
}

// A name that this machine's own table resolves to itself.
std::optional<std::string> name_of_this_machine() {
    for (const std::string name : {"ip6-localhost", "ip6-loopback"}) {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* list = nullptr;
        if (::getaddrinfo(name.c_str(), nullptr, &hints, &list) != 0) continue;
        const bool internal = is_internal_address(*list->ai_addr);
        ::freeaddrinfo(list);
        if (internal) return name;
    }
    return std::nullopt;
}

TEST_F(Reach, IsJudgedByTheAddressThatANameTurnsOutToHave) {
    const auto name = name_of_this_machine();
    if (!name) GTEST_SKIP() << "no other name leads here";
    const test::SetEnv direct{"no_proxy", "*"};
    const auto error =
        failure({.url = "http://" + *name + ":9/x", .reach = Request::Reach::internet});
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.message(), HasSubstr("networks around this machine"));
    options.own_places = {"http://" + *name + ":9/"};
    EXPECT_EQ(
        failure({.url = "http://" + *name + ":9/x", .reach = Request::Reach::internet}).kind(),
        ErrorKind::network);  // it was tried
}

}  // namespace
}  // namespace podctl::http

#include "proxy.hpp"

#include "podctl/base/error.hpp"
#include "podctl/http/http.hpp"

#include "support/error_of.hpp"
#include "support/http_server.hpp"
#include "support/proxies.hpp"
#include "support/set_env.hpp"

#include <gmock/gmock.h>

namespace podctl::http {
namespace {

using test::error_of;
using test::SetEnv;
using testing::HasSubstr;

class ProxyRule : public testing::Test {
protected:
    static std::optional<Proxy> proxy_of(const std::string& url) {
        return proxy_for(parse_url(url).value());
    }
    static bool is_direct(const std::string& url) { return !proxy_of(url); }

    SetEnv http{"http_proxy", "http://p:1"}, https{"https_proxy", ""},
        https_in_capitals{"HTTPS_PROXY", ""}, all{"all_proxy", ""},
        all_in_capitals{"ALL_PROXY", ""}, none{"no_proxy", ""}, none_in_capitals{"NO_PROXY", ""};
};

TEST_F(ProxyRule, TakesTheSchemesVariableAndThenThatForAll) {
    EXPECT_EQ(proxy_of("http://a.example/")->variable, "http_proxy");
    EXPECT_TRUE(is_direct("https://a.example/"));
    const SetEnv capitals{"ALL_PROXY", "socks5://s:1"};
    EXPECT_EQ(proxy_of("http://a.example/")->url, "http://p:1");
    EXPECT_EQ(proxy_of("https://a.example/")->url, "socks5://s:1");
    const SetEnv small{"https_proxy", "q:2"};
    EXPECT_EQ(proxy_of("https://a.example/")->url, "q:2");
}

TEST_F(ProxyRule, ReadsNoHttpProxyInCapitals) {
    const SetEnv unset{"http_proxy", nullptr}, header{"HTTP_PROXY", "http://evil:1"};
    EXPECT_TRUE(is_direct("http://a.example/"));
}

TEST_F(ProxyRule, ExceptsNamesWithTheDomainsBelowThem) {
    const SetEnv except{"no_proxy", "a.example, .b.example,C.example."};
    for (const char* url : {"http://a.example/", "http://x.a.example:8080/", "http://b.example/",
                            "http://x.b.example./", "http://c.example/"})
        EXPECT_TRUE(is_direct(url)) << url;
    EXPECT_FALSE(is_direct("http://xa.example/"));
    EXPECT_FALSE(is_direct("http://example/"));
}

TEST_F(ProxyRule, ExceptsNetworks) {
    const SetEnv except{"NO_PROXY", "10.0.0.0/8,192.168.4.0/22,[fd00::]/8,172.16.0.9"};
    for (const char* url :
         {"http://10.200.1.1/", "http://192.168.7.255/", "http://[fdab::1]/", "http://172.16.0.9/"})
        EXPECT_TRUE(is_direct(url)) << url;
    for (const char* url : {"http://11.0.0.1/", "http://192.168.8.1/", "http://[fe00::1]/",
                            "http://172.16.0.90/", "http://x10.0.0.1.example/"})
        EXPECT_FALSE(is_direct(url)) << url;
}

TEST_F(ProxyRule, TakesBlanksForCommas) {
    const SetEnv except{"no_proxy", "  a.example b.example\t10.0.0.0/8 , c.example "};
    for (const char* url :
         {"http://a.example/", "http://b.example/", "http://10.0.0.1/", "http://c.example/"})
        EXPECT_TRUE(is_direct(url)) << url;
}

TEST_F(ProxyRule, MakesNothingOfWhatIsNoNetwork) {
    const SetEnv except{"no_proxy", "10.0.0.0/33,10.0.0.0/x,10.0.0.0/,/8"};
    EXPECT_FALSE(is_direct("http://10.0.0.1/"));
}

TEST_F(ProxyRule, AsksNoneForThePodItself) {
    for (const char* url : {"http://localhost/", "http://127.0.0.1:9000/", "http://[::1]/"})
        EXPECT_TRUE(is_direct(url)) << url;
    const SetEnv everything{"no_proxy", "*"};
    EXPECT_TRUE(is_direct("http://a.example/"));
}

// libcurl 7.88 itself stops at a blank without a comma.
TEST_F(ProxyRule, IsTheOneThatRequestsFollow) {
    const test::ForwardProxy proxy{{}};
    const SetEnv set{"http_proxy", proxy.url().c_str()};
    const SetEnv except{"no_proxy", "a.invalid b.invalid"};
    const auto error = error_of([&] { Client{}.send({.url = "http://b.invalid/"}); });
    EXPECT_THAT(error.message(), HasSubstr("resolve"));
    EXPECT_TRUE(proxy.asked().empty());
    EXPECT_EQ(Client{}.send({.url = "http://c.invalid/"}).status, 502);
}

TEST_F(ProxyRule, TellsThatTheProxyAsksForALogin) {
    test::HttpServer server([](const test::Request&) { return test::Response{.body = "here"}; });
    const test::ForwardProxy proxy{{{"hub.example:80", server.port()}}, "user:pass"};
    for (const std::string scheme : {"http", "https"}) {
        const SetEnv set{scheme + "_proxy", proxy.url().c_str()};
        const auto error = error_of([&] { Client{}.send({.url = scheme + "://hub.example/"}); });
        EXPECT_EQ(error.kind(), ErrorKind::unauthorized);
        EXPECT_THAT(error.message(), HasSubstr("of $" + scheme + "_proxy asks for a login (407)"));
    }
    const SetEnv set{"http_proxy", proxy.url("user:pass").c_str()};
    EXPECT_EQ(Client{}.send({.url = "http://hub.example/"}).body, "here");
}

TEST_F(ProxyRule, NamesTheProxyThatCannotBeReached) {
    const SetEnv set{"http_proxy", "http://user:hunter2@127.0.0.1:9"};
    const auto error = error_of([&] { Client{}.send({.url = "http://hub.example/"}); });
    EXPECT_THAT(error.message(), HasSubstr("the proxy 127.0.0.1:9 of $http_proxy"));
    EXPECT_EQ(error.message().find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace podctl::http

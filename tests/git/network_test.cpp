#include "podctl/base/file.hpp"

#include "fixture.hpp"
#include "support/proxies.hpp"
#include "support/set_env.hpp"
#include "support/tls_server.hpp"

#include <chrono>

// git's way to a server is that of downloads: proxies, redirects, certificates.
namespace podctl::git {
namespace {

using test::ForwardProxy;
using test::Internet;
using test::Request;
using test::Response;
using test::SetEnv;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class GitNetwork : public GitTest {
protected:
    std::uint16_t port() const { return parse_url(server.prefix())->port.value(); }
    Error clone_error(const std::string& url) {
        const auto error = error_of([&] { clone_it(url); });
        return error.value_or(Error{ErrorKind::internal, "none"});
    }

    test::GitServer server{served()};
    SetEnv http{"http_proxy", nullptr}, https{"https_proxy", nullptr}, all{"all_proxy", nullptr},
        https_in_capitals{"HTTPS_PROXY", nullptr}, all_in_capitals{"ALL_PROXY", nullptr},
        none{"no_proxy", nullptr}, none_in_capitals{"NO_PROXY", nullptr};
};

TEST_F(GitNetwork, AsksTheProxyForAPlainHttpRepository) {
    const ForwardProxy proxy{{{"hub.example:80", port()}}};
    const SetEnv set{"http_proxy", proxy.url().c_str()};
    EXPECT_EQ(clone_it("http://hub.example/pack.git").commit, third);
    EXPECT_THAT(proxy.asked(),
                Contains("GET http://hub.example/pack.git/info/refs?service=git-upload-pack"));
    EXPECT_THAT(proxy.asked(), Contains("POST http://hub.example/pack.git/git-upload-pack"));
    expect_sound();
}

TEST_F(GitNetwork, AsksTheProxyOfAllProxyToo) {
    const ForwardProxy proxy{{{"hub.example:80", port()}}};
    const SetEnv set{"ALL_PROXY", proxy.url().c_str()};
    EXPECT_EQ(clone_it("http://hub.example/pack.git").commit, third);
    EXPECT_THAT(proxy.asked(), Not(IsEmpty()));
}

TEST_F(GitNetwork, GoesThroughATunnelToAnHttpsRepository) {
    const test::TlsServer tls{port(), "DNS:hub.example"};
    const ForwardProxy proxy{{{"hub.example:443", tls.port()}}};
    const SetEnv set{"https_proxy", proxy.url().c_str()};
    http::Client trusting;  // made where the certificate is known
    const Network through{mirrors, trusting};
    EXPECT_EQ(clone(request("https://hub.example/pack.git"), through, {}, {}).commit, third);
    EXPECT_THAT(proxy.asked(), Contains("CONNECT hub.example:443"));
}

TEST_F(GitNetwork, FollowsARedirectToAnotherHostThroughTheProxy) {
    const test::TlsServer tls{port(), "DNS:new.example"};
    test::HttpServer moved{[](const Request& request) {
        return Response{
            .status = 301,
            .headers = {{"Location", "https://new.example" +
                                         request.target.substr(request.target.find("/pack.git"))}}};
    }};
    const test::TlsServer old{moved.port(), "DNS:old.example"};
    write_file_atomically(dir / "both.pem",
                          read_file(tls.certificate()) + read_file(old.certificate()));
    const SetEnv trusted{"SSL_CERT_FILE", (dir / "both.pem").c_str()};
    const ForwardProxy proxy{{{"old.example:443", old.port()}, {"new.example:443", tls.port()}}};
    const SetEnv set{"https_proxy", proxy.url().c_str()};
    http::Client trusting;
    const Network through{mirrors, trusting};
    EXPECT_EQ(clone(request("https://old.example/pack.git"), through, {}, {}).commit, third);
    EXPECT_THAT(proxy.asked(), Contains("CONNECT old.example:443"));
    EXPECT_THAT(proxy.asked(), Contains("CONNECT new.example:443"));
}

TEST_F(GitNetwork, SpeaksSocks5) {
    const test::SocksProxy proxy{{{"hub.example:80", port()}, {"192.0.2.7:80", port()}}};
    const SetEnv by_name{"ALL_PROXY", proxy.url("socks5h").c_str()};
    EXPECT_EQ(clone_it("http://hub.example/pack.git").commit, third);
    std::filesystem::remove_all(there());
    const SetEnv by_address{"ALL_PROXY", proxy.url("socks5").c_str()};
    EXPECT_EQ(clone_it("http://192.0.2.7/pack.git").commit, third);
    EXPECT_THAT(proxy.asked(), Contains("hub.example:80"));
    EXPECT_THAT(proxy.asked(), Contains("192.0.2.7:80"));
}

TEST_F(GitNetwork, GivesTheProxyTheLoginOfItsVariable) {
    const ForwardProxy proxy{{{"hub.example:80", port()}}, "user:pass"};
    const SetEnv set{"http_proxy", proxy.url("user:pass").c_str()};
    EXPECT_EQ(clone_it("http://hub.example/pack.git").commit, third);
}

TEST_F(GitNetwork, TellsThatTheProxyAsksForALogin) {
    const ForwardProxy proxy{{{"hub.example:80", port()}}, "user:pass"};
    for (const std::string scheme : {"http", "https"}) {
        const SetEnv set{scheme + "_proxy", proxy.url().c_str()};
        const auto error = clone_error(scheme + "://hub.example/pack.git");
        EXPECT_EQ(error.kind(), ErrorKind::unauthorized);
        EXPECT_THAT(error.message(), HasSubstr("407"));
        EXPECT_THAT(error.message(), HasSubstr("of $" + scheme + "_proxy"));
        EXPECT_THAT(error.hint(), Not(HasSubstr("private")));
    }
    const SetEnv wrong{"http_proxy", proxy.url("user:hunter2").c_str()};
    const auto error = clone_error("http://hub.example/pack.git");
    EXPECT_THAT(error.hint(), HasSubstr("refuses"));
    EXPECT_THAT(error.message() + error.hint(), Not(HasSubstr("hunter2")));
}

TEST_F(GitNetwork, ToldOfAProxyThatLetsNobodyThrough) {
    const ForwardProxy proxy{{}};
    const SetEnv set{"https_proxy", proxy.url().c_str()};
    const auto error = clone_error("https://hub.example/pack.git");
    EXPECT_EQ(error.kind(), ErrorKind::network);
    EXPECT_THAT(error.message(), HasSubstr("502"));
    EXPECT_THAT(error.message(), HasSubstr("proxy"));
}

TEST_F(GitNetwork, TakesACertificateThatNamesAnAddress) {
    const test::TlsServer tls{port(), "IP:127.0.0.1"};
    http::Client trusting;
    const Network direct{mirrors, trusting};
    const auto url = "https://127.0.0.1:" + std::to_string(tls.port()) + "/pack.git";
    EXPECT_EQ(clone(request(url), direct, {}, {}).commit, third);
    const test::TlsServer other{port(), "IP:127.0.0.2"};
    http::Client trusting_other;
    const Network wrong{mirrors, trusting_other};
    const auto named = "https://127.0.0.1:" + std::to_string(other.port()) + "/pack.git";
    auto elsewhere = request(named);
    elsewhere.destination = dir / "elsewhere";
    const auto error = error_of([&] { clone(elsewhere, wrong, {}, {}); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::network);
    EXPECT_THAT(error->hint(), HasSubstr("SSL_CERT_FILE"));
}

TEST_F(GitNetwork, AsksForThePackWhereTheRefsWereRedirectedTo) {
    test::HttpServer old{[&](const Request& request) {
        return Response{.status = 302,
                        .headers = {{"Location", server.url(request.target.substr(5))}}};
    }};
    EXPECT_EQ(clone_it(old.url("/old/pack.git")).commit, third);
    EXPECT_EQ(old.requests().size(), server.http().requests().size() - server.fetches());
    EXPECT_EQ(in_clone({"remote", "get-url", "origin"}), old.url("/old/pack.git"));
}

TEST_F(GitNetwork, TellsWhereARedirectLeadsThatIsNoRepository) {
    test::HttpServer page{[](const Request& request) {
        if (request.path == "/login") return Response{.body = "<html>"};
        return Response{.status = 302, .headers = {{"Location", "/login"}}};
    }};
    const auto error = clone_error(page.url("/pack.git"));
    EXPECT_EQ(error.kind(), ErrorKind::git);
    EXPECT_THAT(error.message(), HasSubstr("/login"));
}

TEST_F(GitNetwork, DoesNotFollowTheInternetIntoThisMachinesNetworks) {
    test::HttpServer moved{[&](const Request&) {
        return Response{
            .status = 302,
            .headers = {{"Location", server.url("pack.git/info/refs?service=git-upload-pack")}}};
    }};
    const ForwardProxy proxy{{{"hub.example:80", moved.port()}}};
    const SetEnv set{"http_proxy", proxy.url().c_str()};
    const auto error = clone_error("http://hub.example/pack.git");
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.message(), HasSubstr("networks around this machine"));
    EXPECT_EQ(server.http().requests().size(), 0u);
}

TEST_F(GitNetwork, TellsWhatTheServerSaysInPlainText) {
    test::HttpServer gone{[](const Request&) {
        return Response{.status = 404,
                        .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
                        .body = "Repository not found.\nmore"};
    }};
    const auto error = clone_error(gone.url("/pack.git"));
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.message(), HasSubstr("404: Repository not found."));
    EXPECT_THAT(error.message(), Not(HasSubstr("more")));
}

}  // namespace
}  // namespace podctl::git

#include "podctl/base/file.hpp"

#include "fixture.hpp"

#include <fmt/format.h>

#include <chrono>
#include <random>
#include <thread>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;
using test::Request;
using test::Response;
using testing::HasSubstr;
using testing::Not;

class Faults : public GitTest {
protected:
    Error clone_error(const std::string& url, std::stop_token stop = {}) {
        const auto error =
            error_of([&] { clone(request(url), network, monitor(), std::move(stop)); });
        EXPECT_FALSE(fs::exists(there()));
        EXPECT_FALSE(fs::exists(dir / "staging"));
        return error.value_or(Error{ErrorKind::internal, "none"});
    }
    static test::GitServer::Meddle answer_with(int status) {
        return [status](const Request&, Response& response) { response = {.status = status}; };
    }
};

TEST_F(Faults, AMissingRepositoryIsNotFound) {
    test::GitServer server{served()};
    EXPECT_EQ(clone_error(server.url("none.git")).kind(), ErrorKind::not_found);
}

TEST_F(Faults, AMissingPathIsNotFound) {
    EXPECT_EQ(clone_error((dir / "nowhere").string()).kind(), ErrorKind::not_found);
    EXPECT_EQ(clone_error("file://" + (dir / "nowhere").string()).kind(), ErrorKind::not_found);
}

TEST_F(Faults, ALoginIsNotAskedFor) {
    test::GitServer server{
        served(), [](const Request&, Response& response) {
            response = {.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=\"x\""}}};
        }};
    const auto error = clone_error(server.url("pack.git"));
    EXPECT_EQ(error.kind(), ErrorKind::unauthorized);
    EXPECT_THAT(error.hint(), HasSubstr("private"));
}

TEST_F(Faults, AForbiddenRepositoryIsUnauthorized) {
    test::GitServer server{served(), answer_with(403)};
    EXPECT_EQ(clone_error(server.url("pack.git")).kind(), ErrorKind::unauthorized);
}

TEST_F(Faults, AFailingServerIsANetworkError) {
    test::GitServer server{served(), answer_with(503)};
    EXPECT_EQ(clone_error(server.url("pack.git")).kind(), ErrorKind::network);
}

TEST_F(Faults, ARefusedConnectionIsANetworkError) {
    std::string url;
    {
        test::GitServer server{served()};
        url = server.url("pack.git");
    }
    const auto error = clone_error(url);
    EXPECT_EQ(error.kind(), ErrorKind::network);
    EXPECT_THAT(error.message(), HasSubstr("connect to 127.0.0.1"));
}

TEST_F(Faults, APackThatIsCutIsANetworkError) {
    work.write("large.bin", std::string(300'000, 'x'));
    work.commit();
    publish();
    test::GitServer server{served(), [](const Request& request, Response& response) {
                               if (request.method == "POST") response.cut_after = 400;
                           }};
    EXPECT_EQ(clone_error(server.url("pack.git")).kind(), ErrorKind::network);
}

TEST_F(Faults, AnHtmlPageIsNoRepository) {
    test::GitServer server{
        served(), [](const Request&, Response& response) {
            response = {.headers = {{"Content-Type", "text/html"}}, .body = "<html>sign in</html>"};
        }};
    EXPECT_EQ(clone_error(server.url("pack.git")).kind(), ErrorKind::git);
}

TEST_F(Faults, APasswordInTheUrlIsInNoMessage) {
    test::GitServer server{served()};
    std::string url = server.url("none.git");
    url.insert(url.find("://") + 3, "user:hunter2@");
    const auto error = clone_error(url);
    EXPECT_THAT(error.message() + error.hint(), Not(HasSubstr("hunter2")));
    EXPECT_THAT(error.message(), HasSubstr("none.git"));
}

TEST_F(Faults, AnUnknownSchemeIsNamed) {
    const auto error = clone_error("ftp://host.invalid/pack.git");
    EXPECT_EQ(error.kind(), ErrorKind::git);
    EXPECT_THAT(error.hint(), HasSubstr("https"));
}

TEST_F(Faults, AnSshServerThatIsNotThereGetsTheHttpsFormAsAHint) {
    const auto error = clone_error("ssh://git@127.0.0.1:1/group/pack.git");
    EXPECT_EQ(error.kind(), ErrorKind::network);
    EXPECT_THAT(error.hint(), HasSubstr("https://127.0.0.1/group/pack.git"));
}

TEST_F(Faults, AnOldServerWithoutShallowIsClonedWhole) {
    test::GitServer server{served(), [](const Request& request, Response& response) {
                               // The capability as a word of its own, not in "deepen-relative".
                               if (request.method != "GET") return;
                               const auto at = response.body.find(" shallow ");
                               if (at != std::string::npos)
                                   response.body.replace(at, 8, " hallows");
                           }};
    EXPECT_EQ(clone_it(server.url("pack.git")).commit, third);
    EXPECT_EQ(in_clone({"rev-list", "--count", "HEAD"}), "3");
    expect_sound();
}

TEST_F(Faults, AStopEndsTheWaitForAServerThatHangs) {
    std::stop_source stop;
    test::GitServer server{served(), [&](const Request& request, Response& response) {
                               if (request.method != "POST") return;
                               response.stall_after = 100;
                               stop.request_stop();
                           }};
    const auto before = std::chrono::steady_clock::now();
    const auto error = clone_error(server.url("pack.git"), stop.get_token());
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
}

TEST_F(Faults, AStopEndsASlowTransfer) {
    std::mt19937 random{1};
    std::string noise(2'000'000, '\0');
    for (char& byte : noise)
        byte = static_cast<char>(random());
    work.write("large.bin", noise);
    work.commit();
    publish();
    test::GitServer server{served(), [](const Request& request, Response& response) {
                               if (request.method == "POST") response.bytes_per_second = 500'000;
                           }};
    std::stop_source stop;
    Monitor watch{.on_progress = [&](const Progress&) { stop.request_stop(); }};
    const auto error =
        error_of([&] { clone(request(server.url("pack.git")), network, watch, stop.get_token()); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::interrupted);
    EXPECT_LT(server.http().body_bytes_sent(), noise.size() / 2);
    EXPECT_FALSE(fs::exists(there()));
}

TEST_F(Faults, AStopBeforeTheStartClonesNothing) {
    std::stop_source stop;
    stop.request_stop();
    test::GitServer server{served()};
    EXPECT_EQ(clone_error(server.url("pack.git"), stop.get_token()).kind(), ErrorKind::interrupted);
    EXPECT_EQ(server.fetches(), 0);
}

TEST_F(Faults, TwoClonesAtOnceDoNotDisturbEachOther) {
    test::GitServer server{served()};
    std::optional<Checkout> other;
    std::jthread thread([&] {
        other = clone({.url = server.url("pack.git"),
                       .ref = "feature",
                       .destination = dir / "other",
                       .staging = dir / "other-staging"},
                      network, {}, {});
    });
    EXPECT_EQ(clone_it(server.url("pack.git"), "v1").commit, second);
    thread.join();
    ASSERT_TRUE(other);
    EXPECT_EQ(other->commit, feature);
}

TEST_F(Faults, WhatAServerSaysIsToldInShort) {
    test::GitServer server{served(), [](const Request&, Response& response) {
                               const std::string words = "ERR " + std::string(60'000, 'w');
                               response.body = "001e# service=git-upload-pack\n0000" +
                                               fmt::format("{:04x}{}", words.size() + 4, words);
                           }};
    const auto error = clone_error(server.url("pack.git"));
    EXPECT_EQ(error.kind(), ErrorKind::git);
    EXPECT_THAT(error.message(), HasSubstr("wwww"));
    EXPECT_LT(error.message().size(), 2'000u);
}

}  // namespace
}  // namespace podctl::git

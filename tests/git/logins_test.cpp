#include "podctl/base/file.hpp"

#include "fixture.hpp"
#include "netrc.hpp"
#include "support/set_env.hpp"

#include <algorithm>
#include <filesystem>

// Who asks: tokens, ~/.netrc and git's credential helpers, each for its own server alone.
namespace podctl::git {
namespace {

namespace fs = std::filesystem;
using test::Request;
using test::Response;
using test::SetEnv;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// "x-access-token:tok-1", "u:p" and "u:from-helper" in base64.
constexpr const char* token_header = "Basic eC1hY2Nlc3MtdG9rZW46dG9rLTE=";
constexpr const char* login_header = "Basic dTpw";
constexpr const char* helper_header = "Basic dTpmcm9tLWhlbHBlcg==";

class GitLogins : public GitTest {
protected:
    GitLogins() { fs::create_directories(home()); }
    fs::path home() const { return dir / "home"; }

    // A clone of the private repository, by a client that has these tokens.
    void clone_with(const std::vector<http::Credential>& tokens, const std::string& url) {
        http::Client client{{.credentials = tokens}};
        fs::remove_all(there());
        clone(request(url), {mirrors, client, Network::StoredLogins::use}, monitor(), {});
    }
    Error refusal_with(const std::vector<http::Credential>& tokens, const std::string& url) {
        const auto error = error_of([&] { clone_with(tokens, url); });
        return error.value_or(Error{ErrorKind::internal, "none"});
    }
    std::string url_with(const std::string& login) const {
        std::string url = server.url("pack.git");
        return url.insert(url.find("://") + 3, login + "@");
    }
    std::string config() const { return read_file(there() / ".git/config"); }
    // One after the other, each once: a clone asks several times.
    std::vector<std::string> logins_seen(const test::HttpServer& http) const {
        std::vector<std::string> seen;
        for (const auto& it : http.requests())
            seen.push_back(it.header("authorization").value_or("none"));
        seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
        return seen;
    }

    std::string wanted = token_header;
    test::GitServer server{
        served(), [this](const Request& request, Response& response) {
            if (request.header("authorization") == wanted) return;
            response = {.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=\"x\""}}};
        }};
    const std::string home_text = home().string();
    SetEnv home_of_test{"HOME", home_text.c_str()}, netrc{"NETRC", nullptr},
        system_config{"GIT_CONFIG_NOSYSTEM", "1"}, user_config{"GIT_CONFIG_GLOBAL", nullptr},
        xdg{"XDG_CONFIG_HOME", nullptr};
};

TEST_F(GitLogins, ATokenGoesToItsOriginOnceThatAsks) {
    clone_with({{server.prefix(), Secret{"tok-1"}, "GITHUB_TOKEN"}}, server.url("pack.git"));
    EXPECT_THAT(logins_seen(server.http()), ElementsAre("none", token_header));
    EXPECT_THAT(config(), Not(HasSubstr("tok-1")));
}

TEST_F(GitLogins, AStaleTokenKeepsNobodyFromAPublicRepository) {
    test::GitServer open{served()};
    clone_with({{open.prefix(), Secret{"stale"}}}, open.url("pack.git"));
    EXPECT_THAT(logins_seen(open.http()), ElementsAre("none"));
}

TEST_F(GitLogins, NoTokenGoesToTheTargetOfARedirect) {
    test::HttpServer hub{[&](const Request& request) {
        return Response{.status = 302,
                        .headers = {{"Location", server.url(request.target.substr(1))}}};
    }};
    const auto error =
        refusal_with({{hub.url("/"), Secret{"tok-1"}}, {server.prefix(), Secret{"tok-1"}}},
                     hub.url("/pack.git"));
    EXPECT_EQ(error.kind(), ErrorKind::unauthorized);
    EXPECT_THAT(logins_seen(server.http()), ElementsAre("none"));
    const auto url = "http://u:p@" + hub.url("/pack.git").substr(7);
    wanted = login_header;
    EXPECT_EQ(refusal_with({}, url).kind(), ErrorKind::unauthorized);
    EXPECT_THAT(logins_seen(server.http()), ElementsAre("none"));
}

TEST_F(GitLogins, TheLoginOfAUrlIsNotWrittenDown) {
    wanted = login_header;
    clone_with({}, url_with("u:p"));
    EXPECT_EQ(in_clone({"remote", "get-url", "origin"}), server.url("pack.git"));
    EXPECT_THAT(config(), Not(HasSubstr("u:p")));
    EXPECT_EQ(logins_seen(server.http()).at(0), login_header);
}

TEST_F(GitLogins, ALoginThatStandsInAConfigurationIsTakenOutByAnUpdate) {
    wanted = login_header;
    clone_with({}, url_with("u:p"));
    in_clone({"remote", "set-url", "origin", url_with("u:p")});
    update({.checkout = there(), .url = url_with("u:p"), .ref = ""}, network, monitor(), {});
    EXPECT_EQ(in_clone({"remote", "get-url", "origin"}), server.url("pack.git"));
}

TEST_F(GitLogins, ASubmoduleBesideAPrivateRepositoryIsReachedByTheSameLogin) {
    wanted = login_header;
    test::GitRepository parent{dir / "parent"};
    parent.git({"-c", "protocol.file.allow=always", "submodule", "--quiet", "add", bare().string(),
                "lib"});
    parent.write(".gitmodules", "[submodule \"lib\"]\n\tpath = lib\n\turl = ../pack.git\n");
    parent.commit();
    parent.publish(served() / "parent.git");
    std::string url = server.url("parent.git");
    clone_with({}, url.insert(url.find("://") + 3, "u:p@"));
    EXPECT_TRUE(fs::exists(there() / "lib/a.txt"));
    EXPECT_THAT(config(), Not(HasSubstr("u:p")));
    EXPECT_THAT(read_file(there() / ".git/modules/lib/config"), Not(HasSubstr("u:p")));
}

TEST_F(GitLogins, TheUsersNetrcIsRead) {
    wanted = login_header;
    write_file_atomically(home() / ".netrc", "machine 127.0.0.1 login u password p\n");
    clone_with({}, server.url("pack.git"));
    EXPECT_THAT(logins_seen(server.http()), ElementsAre("none", login_header));
}

TEST_F(GitLogins, GitsCredentialHelperIsAskedWithoutAPrompt) {
    wanted = helper_header;
    write_file_atomically(home() / ".gitconfig",
                          "[credential]\n\thelper = \"!f() { echo username=u; echo "
                          "password=from-helper; }; f\"\n");
    clone_with({}, server.url("pack.git"));
    EXPECT_THAT(logins_seen(server.http()), ElementsAre("none", helper_header));
}

TEST_F(GitLogins, AHelperThatARepositoryNamesIsNotRun) {
    wanted = login_header;
    clone_with({}, url_with("u:p"));
    in_clone({"config", "credential.helper", "!touch " + (dir / "was-run").string()});
    const auto error = error_of([&] {
        update({.checkout = there(), .url = server.url("pack.git"), .ref = ""},
               {mirrors, http, Network::StoredLogins::use}, monitor(), {});
    });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::unauthorized);
    EXPECT_FALSE(fs::exists(dir / "was-run"));
}

TEST_F(GitLogins, StoredLoginsRestWhereTheyAreNotToBeUsed) {
    write_file_atomically(home() / ".netrc", "machine 127.0.0.1 login u password p\n");
    write_file_atomically(home() / ".gitconfig", "[credential]\n\thelper = \"!touch " +
                                                     (dir / "was-run").string() + "\"\n");
    const auto error = error_of([&] { clone_it(server.url("pack.git")); });
    ASSERT_TRUE(error);
    EXPECT_THAT(logins_seen(server.http()), ElementsAre("none"));
    EXPECT_FALSE(fs::exists(dir / "was-run"));
}

TEST_F(GitLogins, TheErrorTellsWhatWasTriedAndWhatIsLacking) {
    wanted = "nothing";
    write_file_atomically(home() / ".netrc", "machine 127.0.0.1 login u password hunter2\n");
    const auto error = refusal_with({{server.prefix(), Secret{"hunter3"}, "GITHUB_TOKEN"}},
                                    server.url("pack.git"));
    EXPECT_EQ(error.kind(), ErrorKind::unauthorized);
    EXPECT_THAT(error.hint(), HasSubstr("tried no login, GITHUB_TOKEN, " + home_text + "/.netrc"));
    EXPECT_THAT(error.hint(), HasSubstr("none for 127.0.0.1 in git's credential helpers"));
    EXPECT_THAT(error.message() + error.hint(), Not(HasSubstr("hunter")));
    fs::remove(home() / ".netrc");
    EXPECT_THAT(refusal_with({}, server.url("pack.git")).hint(),
                HasSubstr("none for 127.0.0.1 in GIT_TOKEN_127_0_0_1 in secrets, ~/.netrc"));
}

TEST(FindInNetrc, TakesTheEntryOfTheHost) {
    const std::string text =
        "# mine\nmachine a.example login x password one\n"
        "macdef init\nmachine b.example login no password no\n\n"
        "machine B.example\n  login y # z\n  account z\n  password \"two \\\"words\\\"\"\n"
        "machine b.example login w password three\ndefault login any password all\n";
    EXPECT_EQ(find_in_netrc(text, "a.example", "")->password, "one");
    EXPECT_EQ(find_in_netrc(text, "b.example", "")->user, "y");
    EXPECT_EQ(find_in_netrc(text, "b.example", "")->password, "two \"words\"");
    EXPECT_EQ(find_in_netrc(text, "b.example", "w")->password, "three");
    EXPECT_FALSE(find_in_netrc(text, "b.example", "nobody"));
    EXPECT_FALSE(find_in_netrc(text, "c.example", ""));
    for (const char* odd :
         {"", "machine", "machine a.example login", "machine \"", "macdef x", "#"})
        EXPECT_FALSE(find_in_netrc(odd, "a.example", "")) << odd;
}

}  // namespace
}  // namespace podctl::git

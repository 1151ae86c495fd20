#include "location.hpp"

#include "podctl/git/git.hpp"

#include "support/git_server.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace podctl::git {
namespace {

using testing::Contains;
using testing::Key;
using testing::Not;
using testing::Pair;

TEST(SameRepository, DoesNotCountSchemeUserEndingOrCaseOfTheHost) {
    const std::string url = "https://Git.Example/group/pack.git";
    for (const char* other :
         {"https://git.example/group/pack", "http://git.example/group/pack/",
          "ssh://git@git.example/group/pack.git", "git@git.example:group/pack.git",
          "git@git.example:/group/pack", "https://user:pw@git.example:443/group//pack.git/",
          "ssh://git@git.example:22/group/pack"})
        EXPECT_TRUE(same_repository(url, other)) << other;
}

TEST(SameRepository, CountsHostPortAndPath) {
    const std::string url = "https://git.example/group/pack.git";
    for (const char* other :
         {"https://git.example/group/Pack.git", "https://git.example/group/packs",
          "https://git.example:8443/group/pack.git", "https://other.example/group/pack",
          "/group/pack.git", ""})
        EXPECT_FALSE(same_repository(url, other)) << other;
}

TEST(SameRepository, KnowsALocalPathByItsFileUrl) {
    EXPECT_TRUE(same_repository("/srv/git/pack.git", "file:///srv/git/pack"));
    EXPECT_TRUE(same_repository("/srv/git/../git/pack.git/", "file://localhost/srv/git/pack"));
    EXPECT_FALSE(same_repository("/srv/git/pack.git", "/srv/git/other.git"));
}

TEST(Location, KnowsTheTransportAsGitDoes) {
    EXPECT_EQ(transport_of("git@host:path"), Transport::ssh);
    EXPECT_EQ(transport_of("host:path/x"), Transport::ssh);
    EXPECT_EQ(transport_of("./odd:path"), Transport::local);
    EXPECT_EQ(transport_of("/srv/a@b:c"), Transport::local);
    EXPECT_EQ(transport_of("HTTPS://host/x"), Transport::http);
    EXPECT_EQ(transport_of("ext::sh -c x"), Transport::ssh);  // a host named ext: no command is run
    EXPECT_EQ(transport_of("ftp://host/x"), Transport::unknown);
}

TEST(Location, ShowsNoSecretOfAUrl) {
    EXPECT_EQ(without_secrets("https://user:pw@host/x.git"), "https://host/x.git");
    EXPECT_EQ(without_secrets("https://token@host/x.git"), "https://host/x.git");
    EXPECT_EQ(without_secrets("ssh://git:pw@host/x.git"), "ssh://git@host/x.git");
    EXPECT_EQ(without_secrets("git@host:x.git"), "git@host:x.git");
}

TEST(Location, GivesTheHttpsFormOfAnSshUrl) {
    EXPECT_EQ(https_form("git@host:group/pack.git"), "https://host/group/pack.git");
    EXPECT_EQ(https_form("ssh://git@host:2222/group/pack.git"), "https://host/group/pack.git");
    EXPECT_EQ(https_form("https://host/pack.git"), "");
}

TEST(Location, ResolvesASubmodulesUrlAgainstItsSuperprojects) {
    const auto resolve = resolve_submodule_url;
    EXPECT_EQ(resolve("https://host/group/pack.git", "../lib.git"), "https://host/group/lib.git");
    EXPECT_EQ(resolve("https://host/group/pack.git/", "../../o/lib"), "https://host/o/lib");
    EXPECT_EQ(resolve("https://host/group/pack.git", "./lib"), "https://host/group/pack.git/lib");
    EXPECT_EQ(resolve("git@host:group/pack.git", "../lib.git"), "git@host:group/lib.git");
    EXPECT_EQ(resolve("git@host:pack.git", "../lib.git"), "git@host:lib.git");
    EXPECT_EQ(resolve("/srv/git/pack", "../lib"), "/srv/git/lib");
    EXPECT_EQ(resolve("https://host/pack", "../../../lib"), "https://host/lib");
    EXPECT_EQ(resolve("https://host/pack", "https://other/lib"), "https://other/lib");
}

TEST(ChildEnvironment, NeverAsks) {
    const auto environment = child_environment({});
    EXPECT_THAT(environment, Contains(Pair("GIT_TERMINAL_PROMPT", "0")));
    EXPECT_THAT(environment, Not(Contains(Key("GIT_CONFIG_COUNT"))));
}

TEST(ChildEnvironment, MakesGitFollowTheMirrors) {
    const test::TempDir dir;
    test::GitRepository work{dir / "work"};
    const auto commit = work.commit_file("a.txt", "a");
    work.publish(dir / "served/group/pack.git");
    const test::GitServer server{dir / "served"};
    const Mirrors mirrors{{{"https://git.invalid/", "https://wrong.invalid/"},
                           {"https://git.invalid/group/", server.url("group/")}}};
    const auto output = test::git(dir.path(), {"ls-remote", "https://git.invalid/group/pack.git"},
                                  child_environment(mirrors));
    EXPECT_THAT(output, testing::HasSubstr(commit));
}

TEST(ChildEnvironment, KeepsTheSettingsThatAreAlreadyThere) {
    ::setenv("GIT_CONFIG_COUNT", "2", 1);
    const auto environment = child_environment(Mirrors{{{"https://a/", "https://b/"}}});
    ::unsetenv("GIT_CONFIG_COUNT");
    EXPECT_THAT(environment, Contains(Pair("GIT_CONFIG_COUNT", "3")));
    EXPECT_THAT(environment, Contains(Pair("GIT_CONFIG_KEY_2", "url.https://b/.insteadOf")));
    EXPECT_THAT(environment, Contains(Pair("GIT_CONFIG_VALUE_2", "https://a/")));
    EXPECT_THAT(environment, Not(Contains(Key("GIT_CONFIG_KEY_0"))));
}

TEST(ChildEnvironment, LetsSubmodulesComeFromALocalMirror) {
    const auto environment = child_environment(Mirrors{{{"https://a/", "file:///srv/"}}});
    EXPECT_THAT(environment, Contains(Pair("GIT_CONFIG_KEY_1", "protocol.file.allow")));
}

TEST(Location, KnowsWhatLeadsToTheInternet) {
    using enum http::Request::Reach;
    for (const char* url : {"http://10.0.0.1/x", "git://localhost/x", "git@192.168.1.2:x",
                            "ssh://git@[::1]:22/x", "https://0x7f000001/x", "/srv/git/x"})
        EXPECT_EQ(reach_from(url), anywhere) << url;
    for (const char* url : {"https://8.8.8.8/x", "git@8.8.8.8:x", "https://git.invalid/x"})
        EXPECT_EQ(reach_from(url), internet) << url;
}

}  // namespace
}  // namespace podctl::git

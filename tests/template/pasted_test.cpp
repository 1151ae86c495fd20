#include "git_page.hpp"
#include "support.hpp"

#include <variant>

// Repositories as people paste them: a browser's URL, pip's and npm's forms.
namespace podctl::tmpl::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* commit = "57b32dfee076092ad2930c71fd6d439c2c3b1820";

// "GIT REF" as it was understood, "unclear", or "as it stands".
std::string read(const std::string& url) {
    const auto page = read_git_page(url);
    if (!page) return "as it stands";
    if (!page->unclear.empty()) return "unclear";
    return page->git + (page->ref.empty() ? "" : " " + page->ref);
}

TEST(GitPage, IsUnderstoodWhereItIsClear) {
    const std::string github = "https://github.com/o/r";
    EXPECT_EQ(read(github + "/tree/main"), github + " main");
    EXPECT_EQ(read(github + "/tree/main/?tab=readme-ov-file#readme"), github + " main");
    EXPECT_EQ(read(github + "/tree/user@fix"), github + " user@fix");
    EXPECT_EQ(read(github + "/commits/dev"), github + " dev");
    EXPECT_EQ(read(github + "/commit/" + commit), github + " " + commit);
    EXPECT_EQ(read(github + "/commit/abc1234"), github + " abc1234");
    EXPECT_EQ(read(github + "/releases/tag/v1.2"), github + " v1.2");
    EXPECT_EQ(read(github + "/releases/tag/a%2Fb"), github + " a/b");
    EXPECT_EQ(read(github + "/archive/refs/tags/v1.2.zip"), github + " v1.2");
    EXPECT_EQ(read(github + "/archive/refs/heads/x/y.tar.gz"), github + " x/y");
    EXPECT_EQ(read(github + "/archive/main.zip"), github + " main");
    EXPECT_EQ(read(github + "/zipball/v2"), github + " v2");
    EXPECT_EQ(read(github + "@v1"), github + " v1");
    EXPECT_EQ(read(github + ".git@feature/x"), github + ".git feature/x");
    EXPECT_EQ(read(github + "@feature/x"), github + " feature/x");
    EXPECT_EQ(read(github + ".git#main"), github + ".git main");
    EXPECT_EQ(read(github + "#v1.0"), github + " v1.0");
    EXPECT_EQ(read("git+" + github + ".git@v1#egg=r"), github + ".git v1");
    EXPECT_EQ(read("git+" + github + ".git#egg=r"), github + ".git");
    EXPECT_EQ(read(github + "/"), github);
    EXPECT_EQ(read("git@github.com:o/r.git@v1"), "git@github.com:o/r.git v1");
    EXPECT_EQ(read("ssh://git@github.com/o/r.git#v1"), "ssh://git@github.com/o/r.git v1");
}

TEST(GitPage, OfOtherHubsToo) {
    EXPECT_EQ(read("https://gitlab.com/a/b/c/-/tree/main?ref_type=heads"),
              "https://gitlab.com/a/b/c main");
    EXPECT_EQ(read("https://git.example/a/b/-/tags/v1"), "https://git.example/a/b v1");
    EXPECT_EQ(read("https://gitlab.com/a/b/-/archive/v1/b-v1.tar.gz"), "https://gitlab.com/a/b v1");
    EXPECT_EQ(read("https://git.example/a/b/-/tree/main?ref_type=heads"),
              "https://git.example/a/b main");
    EXPECT_EQ(read("https://gitlab.com/a/b/tree/main"), "https://gitlab.com/a/b main");
    EXPECT_EQ(read("https://codeberg.org/o/r/src/branch/main"), "https://codeberg.org/o/r main");
    EXPECT_EQ(read("https://git.example/o/r/src/tag/v1"), "https://git.example/o/r v1");
    EXPECT_EQ(read("https://bitbucket.org/o/r/src/main/"), "https://bitbucket.org/o/r main");
    EXPECT_EQ(read("https://huggingface.co/spaces/o/r/tree/main"),
              "https://huggingface.co/spaces/o/r main");
    EXPECT_EQ(read(std::string{"https://gist.github.com/u/0123abcd/"} + commit),
              std::string{"https://gist.github.com/u/0123abcd "} + commit);
}

TEST(GitPage, IsNoneWhereGitTakesTheUrl) {
    for (const char* url :
         {"https://bitbucket.example.com/scm/PROJ/repo.git",
          "https://gitea.example.com/git/o/r.git", "https://github.example/https://github.com/o/r",
          "https://github.com/o/r", "https://github.com/o/r.git",
          "https://gist.github.com/0123abcd", "https://git.example/srv/tree/r.git",
          "https://git.example/a/@scope/r", "https://gitlab.com/a/b/c/d", "git@github.com:o/r.git",
          "file:///srv/r@v1", "/srv/r@v1", "./r", "https://git.example/r?token", "not a url", ""})
        EXPECT_EQ(read(url), "as it stands") << url;
}

TEST(GitPage, IsNotGuessedAt) {
    const std::string github = "https://github.com/o/r";
    for (const std::string page :
         {"/tree/a/b", "/blob/main/node.py", "/pull/12", "/issues", "/wiki", "/releases",
          "/releases/latest", "/tree", "/commit", "#readme", "#2-install", "#face",
          "#subdirectory=nodes", "/releases/download/v1/x.zip", "/archive/main"})
        EXPECT_EQ(read(github + page), "unclear") << page;
    EXPECT_EQ(read("https://github.com/owner"), "unclear");
}

TEST(Pasted, NodesHaveTheirUrlAndRef) {
    const auto pod = parse(
        "comfyui: {source: 'https://github.com/o/ComfyUI/releases/tag/v0.3.64'}\n"
        "custom_nodes: ['https://github.com/o/pack/tree/1.10', {git: "
        "'https://github.com/o/b@v1'}]\n"
        "repositories: [{git: 'https://github.com/o/app/tree/main', path: app}]\n");
    EXPECT_EQ(pod.comfyui->source, "https://github.com/o/ComfyUI");
    EXPECT_EQ(pod.comfyui->ref, "v0.3.64");
    const auto& pack = std::get<GitNode>(pod.custom_nodes.at(0).source);
    EXPECT_EQ(pod.custom_nodes.at(0).name, "pack");
    EXPECT_EQ(pack.git, "https://github.com/o/pack");
    EXPECT_EQ(pack.ref, "1.10");
    EXPECT_EQ(std::get<GitNode>(pod.custom_nodes.at(1).source).ref, "v1");
    EXPECT_EQ(pod.repositories.at(0).ref, "main");
}

TEST(Pasted, WhatIsUnclearIsToldWithTheLineToWrite) {
    EXPECT_THAT(
        faults("comfyui: {source: 'https://github.com/o/ComfyUI/pull/7'}\n"
               "custom_nodes: ['https://github.com/o/pack/blob/main/a.py']\n"
               "repositories: [{git: 'https://github.com/o/app/tree/a/b', path: app}]\n"),
        ElementsAre(AllOf(HasSubstr("pod.yaml:3:"), HasSubstr("comfyui.source: found"),
                          HasSubstr("write `source: https://github.com/o/ComfyUI` and `ref: "
                                    "\"refs/pull/7/head\"`")),
                    AllOf(HasSubstr("custom_nodes[0]"), HasSubstr("a file of the repository"),
                          HasSubstr("{git: https://github.com/o/pack, ref: \"main\"}")),
                    AllOf(HasSubstr("repositories[0].git"), HasSubstr("ref: \"a/b\"}"))));
}

TEST(Pasted, ARefBesideAnotherIsRefused) {
    EXPECT_THAT(
        faults("comfyui: {}\ncustom_nodes: [{git: 'https://github.com/o/p/tree/main', ref: v1}]\n"),
        ElementsAre(HasSubstr("another reference than `ref`, 'v1'")));
    EXPECT_THAT(faults("comfyui: {}\n"
                       "custom_nodes: [{git: 'https://github.com/o/p/tree/v1', ref: v1}]\n"),
                IsEmpty());
}

TEST(Pasted, AVariablesValueIsNotTold) {
    const auto given = options({{"WHERE", "hidden-owner"}});
    EXPECT_THAT(
        faults("comfyui: {}\ncustom_nodes: ['https://github.com/${WHERE}/p/blob/main/x']\n", given),
        ElementsAre(AllOf(HasSubstr("custom_nodes[0]"),
                          HasSubstr("{git: https://github.com/${WHERE}/p"),
                          Not(HasSubstr("hidden-owner")))));
}

}  // namespace
}  // namespace podctl::tmpl::test

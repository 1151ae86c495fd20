#include "fixture.hpp"

namespace podctl::git {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class HistoryOfAFile : public testing::Test, protected Folder {
protected:
    std::vector<FileVersion> history(const std::string& url, std::stop_token stop = {}) {
        return history_of({.url = url, .file = "requirements.txt", .scratch = dir / "scratch"},
                          network, stop);
    }
    void publish() { work.publish(dir / "served/pack.git"); }
    static std::vector<std::string> told(const std::vector<FileVersion>& versions) {
        std::vector<std::string> lines;
        for (const auto& it : versions)
            lines.push_back(it.revision + " " + it.text);
        return lines;
    }

    test::GitRepository work{dir / "work"};
    test::GitServer server{dir / "served"};
    Mirrors mirrors;
    http::Client http;
    const Network network{mirrors, http};
};

TEST_F(HistoryOfAFile, GivesEachContentOnceAtATagOrElseItsNewestCommit) {
    work.commit_file("other.txt", "before there was one");
    work.commit_file("requirements.txt", "a==1");
    work.git({"tag", "v1.0"});
    work.commit_file("other.txt", "x");
    work.git({"tag", "--annotate", "-m", "one", "v1.1"});
    work.commit_file("other.txt", "y");
    work.commit_file("requirements.txt", "a==2");
    const auto second = work.commit_file("other.txt", "z");
    const auto third = work.commit_file("requirements.txt", "a==3");
    publish();
    for (const auto& url : {server.url("pack.git"), (dir / "served/pack.git").string()}) {
        const auto versions = history(url);
        EXPECT_THAT(told(versions), ElementsAre(third + " a==3", second + " a==2", "v1.1 a==1"));
        EXPECT_EQ(versions[0].time, test::GitRepository::first_commit_time + 60 * 6);
        EXPECT_FALSE(std::filesystem::exists(dir / "scratch"));
    }
}

TEST_F(HistoryOfAFile, FollowsTheBranchItselfAndTagsBesideIt) {
    work.commit_file("requirements.txt", "a==1");
    work.git({"checkout", "--quiet", "-b", "side"});
    work.commit_file("requirements.txt", "a==half-done");
    const auto tagged = work.commit_file("requirements.txt", "a==1.5");
    work.git({"tag", "v1.5"});
    work.git({"checkout", "--quiet", "main"});
    work.git({"merge", "--quiet", "--no-ff", "-m", "merge", "side"});
    const auto tip = work.commit_file("requirements.txt", "a==2");
    publish();
    EXPECT_THAT(told(history(server.url("pack.git"))),
                ElementsAre(tip + " a==2", "v1.5 a==1.5", testing::EndsWith(" a==1")));
}

TEST_F(HistoryOfAFile, IsEmptyWhereThereIsNoSuchFile) {
    work.commit_file("requirements.txt/inside", "a folder");
    publish();
    EXPECT_THAT(history(server.url("pack.git")), IsEmpty());
}

TEST_F(HistoryOfAFile, FollowsMirrorsAndTellsWhatIsNotThere) {
    work.commit_file("requirements.txt", "a");
    publish();
    mirrors = Mirrors{{{"https://github.com/someone/", server.prefix()}}};
    EXPECT_EQ(history("https://github.com/someone/pack.git").size(), 1U);
    const auto error = error_of([&] { history("https://github.com/someone/gone.git"); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::not_found);
}

TEST_F(HistoryOfAFile, CanBeStopped) {
    work.commit_file("requirements.txt", "a");
    publish();
    std::stop_source stop;
    stop.request_stop();
    const auto error = error_of([&] { history(server.url("pack.git"), stop.get_token()); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::interrupted);
    EXPECT_FALSE(std::filesystem::exists(dir / "scratch"));
}

}  // namespace
}  // namespace podctl::git

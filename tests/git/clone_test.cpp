#include "podctl/base/file.hpp"

#include "fixture.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

namespace podctl::git {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Clone : public GitTest {};

TEST_F(Clone, CutsTheHistoryOfTheDefaultBranchAfterOneCommit) {
    test::GitServer server{served()};
    const auto checkout = clone_it(server.url("pack.git"));
    EXPECT_EQ(checkout.commit, third);
    EXPECT_EQ(checkout.branch, "main");
    EXPECT_EQ(in_clone({"rev-parse", "--is-shallow-repository"}), "true");
    EXPECT_EQ(in_clone({"rev-list", "--count", "HEAD"}), "1");
    EXPECT_EQ(read_file(there() / "a.txt"), "three\n");
    expect_sound();
}

TEST_F(Clone, LeavesOriginAndUpstreamAsGitDoes) {
    test::GitServer server{served()};
    clone_it(server.url("pack.git"));
    EXPECT_EQ(in_clone({"remote", "get-url", "origin"}), server.url("pack.git"));
    EXPECT_EQ(in_clone({"rev-parse", "--abbrev-ref", "main@{upstream}"}), "origin/main");
    EXPECT_EQ(in_clone({"symbolic-ref", "refs/remotes/origin/HEAD"}), "refs/remotes/origin/main");
    EXPECT_EQ(in_clone({"rev-parse", "origin/main"}), third);
}

TEST_F(Clone, KeepsExecutableBitsAndSymbolicLinks) {
    test::GitServer server{served()};
    clone_it(server.url("pack.git"));
    EXPECT_EQ(fs::read_symlink(there() / "link"), "a.txt");
    EXPECT_NE(fs::status(there() / "tool.sh").permissions() & fs::perms::owner_exec,
              fs::perms::none);
    EXPECT_EQ(fs::status(there() / "a.txt").permissions() & fs::perms::owner_exec, fs::perms::none);
}

// Written by several threads, which must not be seen.
TEST_F(Clone, NotesEachOfManyFilesAsItStands) {
    for (int folder = 0; folder < 12; ++folder)
        for (int file = 0; file < 30; ++file)
            work.write(fmt::format("many/{}/deep/{}.txt", folder, file),
                       fmt::format("{} {}\n", folder, file));
    // One name sorts before the rules, which are another file's in the folder above and below.
    work.write("many/7/.gitattributes", "*.txt eol=crlf\n");
    work.write("many/7/!first.txt", "a\n");
    work.write("many/7/deep/.gitattributes", "3.txt eol=lf\n");
    work.commit();
    publish();
    test::GitServer server{served()};
    clone_it(server.url("pack.git"));
    EXPECT_EQ(read_file(there() / "many/11/deep/29.txt"), "11 29\n");
    EXPECT_EQ(read_file(there() / "many/7/!first.txt"), "a\r\n");
    EXPECT_EQ(read_file(there() / "many/7/deep/3.txt"), "7 3\n");
    EXPECT_EQ(read_file(there() / "many/7/deep/4.txt"), "7 4\r\n");
    // Names what does not look as the index says, without a look at its content.
    EXPECT_EQ(in_clone({"diff-files", "--name-only"}), "");
    EXPECT_EQ(in_clone({"ls-files"}), work.git({"ls-files"}));
    expect_sound();
}

// No tree that git makes has two entries of one name.
TEST_F(Clone, WritesNothingThroughALinkOfTheCommit) {
    const auto outside = dir / "outside";
    fs::create_directories(outside);
    write_file_atomically(dir / "blob", "x");
    const auto file = work.git({"hash-object", "-w", (dir / "blob").string()});
    write_file_atomically(dir / "target", outside.string());
    const auto link = work.git({"hash-object", "-w", (dir / "target").string()});
    const auto raw = [](const std::string& id) {
        std::string bytes;
        for (std::size_t i = 0; i < id.size(); i += 2)
            bytes += static_cast<char>(std::stoi(id.substr(i, 2), nullptr, 16));
        return bytes;
    };
    const auto tree = [&](const std::string& content) {
        write_file_atomically(dir / "tree", content);
        return work.git(
            {"hash-object", "-t", "tree", "--literally", "-w", (dir / "tree").string()});
    };
    const std::string end(1, '\0');
    const auto inner = tree("100644 evil" + end + raw(file));
    const auto outer = tree("120000 a" + end + raw(link) + "40000 a" + end + raw(inner));
    work.git({"update-ref", "refs/heads/main",
              work.git({"commit-tree", "-m", "two of one name", outer})});
    publish();
    test::GitServer server{served()};
    try {
        clone_it(server.url("pack.git"));
    } catch (const Error&) {
        EXPECT_FALSE(fs::exists(there()));
    }
    EXPECT_TRUE(fs::is_empty(outside));
}

TEST_F(Clone, LetsGitPullAfterwards) {
    test::GitServer server{served()};
    clone_it(server.url("pack.git"));
    const auto fourth = work.commit_file("a.txt", "four\n");
    publish();
    in_clone({"pull", "--ff-only"});
    EXPECT_EQ(in_clone({"rev-parse", "HEAD"}), fourth);
    EXPECT_EQ(in_clone({"rev-list", "--count", "HEAD"}), "2");
    expect_sound();
}

TEST_F(Clone, ChecksOutABranchWithItsUpstream) {
    test::GitServer server{served()};
    const auto checkout = clone_it(server.url("pack.git"), "feature");
    EXPECT_EQ(checkout.commit, feature);
    EXPECT_EQ(checkout.branch, "feature");
    EXPECT_EQ(in_clone({"rev-parse", "--abbrev-ref", "HEAD@{upstream}"}), "origin/feature");
    EXPECT_EQ(in_clone({"rev-list", "--count", "--all"}), "1");
    expect_sound();
}

TEST_F(Clone, DetachesAtAnAnnotatedTag) {
    test::GitServer server{served()};
    const auto checkout = clone_it(server.url("pack.git"), "v1");
    EXPECT_EQ(checkout.commit, second);
    EXPECT_EQ(checkout.branch, "");
    EXPECT_EQ(in_clone({"describe", "--tags"}), "v1");
    EXPECT_EQ(in_clone({"rev-parse", "--abbrev-ref", "HEAD"}), "HEAD");
    EXPECT_EQ(in_clone({"rev-list", "--count", "HEAD"}), "1");
    expect_sound();
}

TEST_F(Clone, DetachesAtALightweightTag) {
    test::GitServer server{served()};
    EXPECT_EQ(clone_it(server.url("pack.git"), "light").commit, first);
    EXPECT_EQ(in_clone({"describe", "--tags"}), "light");
    expect_sound();
}

TEST_F(Clone, LetsGitSwitchToTheDefaultBranchFromATag) {
    test::GitServer server{served()};
    clone_it(server.url("pack.git"), "v1");
    in_clone({"fetch", "--quiet"});
    in_clone({"checkout", "--quiet", "main"});
    EXPECT_EQ(in_clone({"rev-parse", "HEAD"}), third);
}

TEST_F(Clone, PrefersABranchToATagOfTheSameName) {
    work.git({"tag", "feature", first});
    publish();
    test::GitServer server{served()};
    EXPECT_EQ(clone_it(server.url("pack.git"), "feature").commit, feature);
}

TEST_F(Clone, AsksForAFullCommitAloneWhereTheServerAllowsIt) {
    test::git(bare(), {"config", "uploadpack.allowReachableSHA1InWant", "true"});
    // Not the tip of anything, so that only its own name can be asked for.
    const auto fourth = work.commit_file("a.txt", "four\n");
    publish();
    test::GitServer server{served()};
    EXPECT_EQ(clone_it(server.url("pack.git"), third).commit, third);
    EXPECT_EQ(in_clone({"rev-parse", "--is-shallow-repository"}), "true");
    EXPECT_EQ(in_clone({"rev-list", "--count", "HEAD"}), "1");
    expect_sound();
}

TEST_F(Clone, FindsAFullCommitInTheWholeHistoryWhereTheServerRefuses) {
    work.commit_file("a.txt", "four\n");
    publish();
    test::GitServer server{served()};
    EXPECT_EQ(clone_it(server.url("pack.git"), third).commit, third);
    EXPECT_EQ(in_clone({"rev-parse", "--is-shallow-repository"}), "false");
    EXPECT_EQ(in_clone({"rev-parse", "--abbrev-ref", "HEAD"}), "HEAD");
    expect_sound();
}

TEST_F(Clone, AsksForACommitByTheNameOfItsTag) {
    test::GitServer server{served()};  // which refuses to be asked for a commit
    EXPECT_EQ(clone_it(server.url("pack.git"), second).commit, second);
    EXPECT_EQ(in_clone({"rev-list", "--count", "HEAD"}), "1");
    expect_sound();
}

TEST_F(Clone, FindsAnAbbreviatedCommit) {
    test::GitServer server{served()};
    EXPECT_EQ(clone_it(server.url("pack.git"), second.substr(0, 8)).commit, second);
    expect_sound();
}

TEST_F(Clone, FindsACommitThatOnlyAPullRequestHas) {
    work.git({"checkout", "--quiet", "--detach"});
    const auto proposed = work.commit_file("a.txt", "proposed\n");
    work.git({"update-ref", "refs/pull/7/head", proposed});
    publish();
    test::git(bare(), {"config", "uploadpack.allowReachableSHA1InWant", "true"});
    test::GitServer server{served()};
    EXPECT_EQ(clone_it(server.url("pack.git"), proposed).commit, proposed);
    expect_sound();
}

TEST_F(Clone, TakesAWholeRefName) {
    work.git({"update-ref", "refs/pull/7/head", second});
    publish();
    test::GitServer server{served()};
    EXPECT_EQ(clone_it(server.url("pack.git"), "refs/pull/7/head").commit, second);
    expect_sound();
}

TEST_F(Clone, NamesWhatIsNearAnUnknownRef) {
    test::GitServer server{served()};
    const auto error = error_of([&] { clone_it(server.url("pack.git"), "featur"); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::not_found);
    EXPECT_THAT(error->message(), HasSubstr("featur"));
    EXPECT_THAT(error->hint(), HasSubstr("feature"));
    EXPECT_FALSE(fs::exists(there()));
    EXPECT_FALSE(fs::exists(dir / "staging"));
}

TEST_F(Clone, SaysThatACommitIsNowhere) {
    test::GitServer server{served()};
    const auto error = error_of([&] { clone_it(server.url("pack.git"), std::string(40, 'd')); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::not_found);
}

TEST_F(Clone, SaysThatARepositoryIsEmpty) {
    test::git(dir.path(), {"init", "--quiet", "--bare", (served() / "empty.git").string()});
    test::GitServer server{served()};
    const auto error = error_of([&] { clone_it(server.url("empty.git")); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::not_found);
    EXPECT_THAT(error->hint(), HasSubstr("empty"));
}

TEST_F(Clone, TakesADetachedHeadOfTheServer) {
    test::git(bare(), {"update-ref", "--no-deref", "HEAD", first});
    test::GitServer server{served()};
    EXPECT_EQ(clone_it(server.url("pack.git")).commit, first);
    expect_sound();
}

TEST_F(Clone, ClonesALocalPathWhole) {
    EXPECT_EQ(clone_it(bare().string()).commit, third);
    EXPECT_EQ(in_clone({"rev-list", "--count", "HEAD"}), "3");
    EXPECT_EQ(in_clone({"remote", "get-url", "origin"}), bare().string());
    EXPECT_EQ(in_clone({"rev-parse", "origin/feature"}), feature);
    expect_sound();
}

TEST_F(Clone, ClonesAFileUrlAtATag) {
    EXPECT_EQ(clone_it("file://" + bare().string(), "v1").commit, second);
    EXPECT_EQ(in_clone({"describe", "--tags"}), "v1");
    expect_sound();
}

TEST_F(Clone, ClonesFromALocalRepositoryThatIsItselfCut) {
    test::git(dir.path(), {"clone", "--quiet", "--bare", "--depth=1", "file://" + bare().string(),
                           (served() / "cut.git").string()});
    EXPECT_EQ(clone_it((served() / "cut.git").string()).commit, third);
    expect_sound();
}

TEST_F(Clone, KeepsTheTemplatesUrlAsOriginBehindAMirror) {
    test::GitServer server{served()};
    mirrors = Mirrors{{{"https://git.invalid/", server.prefix()}}};
    EXPECT_EQ(clone_it("https://git.invalid/pack.git", "feature").commit, feature);
    EXPECT_EQ(in_clone({"remote", "get-url", "origin"}), "https://git.invalid/pack.git");
    EXPECT_THAT(read_file(there() / ".git/config"), testing::Not(HasSubstr("127.0.0.1")));
    expect_sound();
}

TEST_F(Clone, IsFollowedByAGitThatUsesTheSameMirrors) {
    test::GitServer server{served()};
    mirrors = Mirrors{{{"https://git.invalid/", server.prefix()}}};
    clone_it("https://git.invalid/pack.git");
    const auto fourth = work.commit_file("a.txt", "four\n");
    publish();
    test::git(there(), {"pull", "--ff-only"}, child_environment(mirrors));
    EXPECT_EQ(read_head(there())->commit, fourth);
}

TEST_F(Clone, NamesTheMirrorInAnError) {
    test::GitServer server{served()};
    mirrors = Mirrors{{{"https://git.invalid/", server.prefix()}}};
    const auto error = error_of([&] { clone_it("https://git.invalid/none.git"); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::not_found);
    EXPECT_THAT(error->message(),
                HasSubstr("https://git.invalid/none.git (through " + server.url("none.git")));
}

TEST_F(Clone, RemovesWhatAKilledOneLeftInStaging) {
    test::GitServer server{served()};
    fs::create_directories(dir / "staging/.git/objects");
    write_file_atomically(dir / "staging/.git/HEAD", "ref: refs/heads/other\n");
    write_file_atomically(dir / "staging/torn.txt", "to");
    EXPECT_EQ(clone_it(server.url("pack.git")).commit, third);
    EXPECT_FALSE(fs::exists(there() / "torn.txt"));
    expect_sound();
}

TEST_F(Clone, TakesAnEmptyFolderAsItsDestination) {
    test::GitServer server{served()};
    fs::create_directory(there());
    EXPECT_EQ(clone_it(server.url("pack.git")).commit, third);
    expect_sound();
}

TEST_F(Clone, DoesNotTouchAFolderWithContent) {
    write_file_atomically(there() / "mine.txt", "mine");
    const auto error = error_of([&] { clone_it(bare().string()); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::conflict);
    EXPECT_EQ(read_file(there() / "mine.txt"), "mine");
}

TEST_F(Clone, NamesTheFilesThatAreInLfs) {
    work.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    work.write("plain.bin", "p");
    work.commit();
    publish();
    clone_it(bare().string());
    EXPECT_THAT(notices, testing::IsEmpty());

    const std::string sha256(64, 'a');
    work.write("weights/a.bin",
               "version https://git-lfs.github.com/spec/v1\noid sha256:" + sha256 + "\nsize 9\n");
    work.commit();
    publish();
    update({.checkout = there(), .url = bare().string(), .ref = {}}, network, monitor(), {});
    EXPECT_THAT(notices, testing::ElementsAre(
                             testing::AllOf(HasSubstr("Git LFS"), HasSubstr("weights/a.bin"),
                                            testing::Not(HasSubstr("plain.bin")))));
}

TEST_F(Clone, ReportsProgressUpToTheEnd) {
    test::GitServer server{served()};
    Progress last;
    Monitor watch{.on_progress = [&](const Progress& progress) { last = progress; }};
    clone(request(server.url("pack.git")), network, watch, {});
    EXPECT_GT(last.total_objects, 3U);
    EXPECT_EQ(last.received_objects, last.total_objects);
    EXPECT_GT(last.received_bytes, 100U);
}

TEST_F(Clone, HandsOnWhatAMonitorThrows) {
    test::GitServer server{served()};
    Monitor watch{
        .on_progress = [](const Progress&) { throw std::out_of_range("from the monitor"); }};
    EXPECT_THROW(clone(request(server.url("pack.git")), network, watch, {}), std::out_of_range);
    EXPECT_FALSE(fs::exists(there()));
}

class CloneAsOf : public GitTest {
protected:
    static constexpr std::int64_t start = test::GitRepository::first_commit_time;
    Checkout as_of(std::int64_t before) {
        return clone_as_of(request(bare().string()), before, network, monitor(), {});
    }
};

TEST_F(CloneAsOf, TakesTheNewestCommitThatIsOldEnough) {
    EXPECT_EQ(as_of(start + 100).commit, second);
    EXPECT_EQ(head_time(there()), start + 60);
    EXPECT_EQ(in_clone({"rev-parse", "--abbrev-ref", "HEAD"}), "HEAD");
    expect_sound();
}

TEST_F(CloneAsOf, CountsACommitOfThatVerySecond) {
    EXPECT_EQ(as_of(start).commit, first);
}

TEST_F(CloneAsOf, TakesTheTipWhenAllIsOldEnough) {
    EXPECT_EQ(as_of(start + 100'000).commit, third);
}

TEST_F(CloneAsOf, DoesNotTakeACommitThatWasMergedLater) {
    work.git({"merge", "--quiet", "--no-ff", "-m", "merge", "feature"});
    publish();
    EXPECT_EQ(as_of(start + 150).commit,
              second);  // feature is older than the merge, third is younger
}

TEST_F(CloneAsOf, RefusesARepositoryThatIsYounger) {
    const auto error = error_of([&] { as_of(start - 1); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::not_found);
    EXPECT_THAT(error->message(), HasSubstr("2023-11-14"));
}

}  // namespace
}  // namespace podctl::git

#include "podctl/run/state.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/run/journal.hpp"
#include "podctl/run/lock.hpp"

#include "support/error_of.hpp"
#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uid_t nobody = 65534;

class State : public testing::Test {
protected:
    void give_to_nobody(const fs::path& path) {
        ASSERT_EQ(::lchown(path.c_str(), nobody, nobody), 0) << path;
    }
    unsigned mode_of(const fs::path& path) const {
        return static_cast<unsigned>(fs::symlink_status(path).permissions());
    }
    // What has been moved aside in `folder`, by the name it had.
    std::vector<std::string> aside(const fs::path& folder) const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator{folder}) {
            const std::string name = entry.path().filename();
            if (const auto mark = name.find(".set-aside-"); mark != name.npos)
                names.push_back(name.substr(0, mark));
        }
        return names;
    }

    test::TempDir root;
    fs::path state = root / ".podctl";
};

TEST_F(State, IsTheUsersAloneWhateverTheUmask) {
    for (const mode_t mask : {0u, 022u, 077u}) {
        const mode_t before = ::umask(mask);
        EXPECT_THAT(claim_state(state), IsEmpty());
        const PodLock lock{state / "lock", state.parent_path()};
        Journal{state / "journal.jsonl"}.put("a", {});
        ::umask(before);
        EXPECT_EQ(mode_of(state), 0700u);
        EXPECT_EQ(mode_of(state / "lock"), 0600u);
        EXPECT_EQ(mode_of(state / "journal.jsonl"), 0600u);
        fs::remove_all(state);
    }
}

TEST_F(State, OfAnEarlierVersionIsClosedToOthersAndKept) {
    fs::create_directories(state / "environments");
    ::chmod(state.c_str(), 0755);
    write_file_atomically(state / "journal.jsonl", "");
    EXPECT_THAT(claim_state(state), IsEmpty());
    EXPECT_EQ(mode_of(state), 0700u);
    EXPECT_TRUE(fs::exists(state / "journal.jsonl"));
    EXPECT_THAT(aside(root.path()), IsEmpty());
}

TEST_F(State, ThatOthersMayHaveWrittenIsMovedAsideAndMadeAnew) {
    fs::create_directories(state);
    ::chmod(state.c_str(), 0777);
    write_file_atomically(state / "journal.jsonl", "theirs");
    EXPECT_THAT(claim_state(state), ElementsAre(HasSubstr("can be written by others")));
    EXPECT_EQ(mode_of(state), 0700u);
    EXPECT_TRUE(fs::is_empty(state));
    EXPECT_THAT(aside(root.path()), ElementsAre(".podctl"));
    EXPECT_THAT(claim_state(state), IsEmpty());
}

TEST_F(State, OfAnotherUserIsMovedAsideAndMadeAnew) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    fs::create_directories(state);
    give_to_nobody(state);
    EXPECT_THAT(claim_state(state), ElementsAre(HasSubstr("belongs to")));
    EXPECT_THAT(aside(root.path()), ElementsAre(".podctl"));
    EXPECT_EQ(mode_of(state), 0700u);
}

TEST_F(State, ThatIsAnotherUsersLinkIsNotFollowed) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    const test::TempDir outside;
    fs::create_symlink(outside.path(), state);
    give_to_nobody(state);
    EXPECT_THAT(claim_state(state), ElementsAre(HasSubstr("is a link")));
    EXPECT_TRUE(fs::is_directory(fs::symlink_status(state)));
    EXPECT_TRUE(fs::is_empty(outside.path()));
}

TEST_F(State, MayLieOnAnotherDiskByALinkOfTheUsersOwn) {
    const test::TempDir outside;
    fs::create_symlink(outside.path(), state);
    EXPECT_THAT(claim_state(state), IsEmpty());
    Journal{state / "journal.jsonl"}.put("a", {});
    EXPECT_TRUE(fs::exists(outside / "journal.jsonl"));
}

TEST_F(State, ThatIsNoFolderIsMovedAside) {
    write_file_atomically(state, "");
    EXPECT_THAT(claim_state(state), ElementsAre(HasSubstr("is no folder")));
    fs::remove_all(state);
    ASSERT_EQ(::mkfifo(state.c_str(), 0600), 0);
    EXPECT_THAT(claim_state(state), ElementsAre(HasSubstr("is no folder")));
    EXPECT_EQ(mode_of(state), 0700u);
}

TEST_F(State, LosesWhatIsNotTheUsersOwnInIt) {
    claim_state(state);
    ASSERT_EQ(::mkfifo((state / "pod.json").c_str(), 0600), 0);
    fs::create_directory(state / "logs");
    fs::create_symlink("logs", state / "partial");
    std::vector<std::string> lost{"pod.json"};
    if (::geteuid() == 0) {
        give_to_nobody(state / "logs");
        give_to_nobody(state / "partial");
        lost = {"logs", "partial", "pod.json"};
    }
    EXPECT_EQ(claim_state(state).size(), lost.size());
    EXPECT_THAT(aside(state), testing::UnorderedElementsAreArray(lost));
    EXPECT_FALSE(fs::exists(state / "pod.json"));
    EXPECT_THAT(claim_state(state), IsEmpty());
}

// Only in a folder that others could reach before.
TEST_F(State, LosesWhatOthersMayWriteWhenItWasOpenToThem) {
    fs::create_directories(state / "environments");
    ::chmod((state / "environments").c_str(), 0777);
    ::chmod(state.c_str(), 0755);
    EXPECT_THAT(claim_state(state),
                ElementsAre(HasSubstr("environments can be written by others")));
    fs::create_directory(state / "cache");
    ::chmod((state / "cache").c_str(), 0777);
    EXPECT_THAT(claim_state(state), IsEmpty());
}

TEST_F(State, StaysTheSameFolderWhenAnotherComesToItsPath) {
    claim_state(state);
    fs::rename(state, root / "moved");
    fs::create_directory(state);
    Journal{state / "journal.jsonl"}.put("a", {});
    EXPECT_TRUE(fs::exists(root / "moved/journal.jsonl"));
    EXPECT_TRUE(fs::is_empty(state));
}

TEST_F(State, OfARootThatCannotBeMadeIsTold) {
    write_file_atomically(root / "file", "");
    const auto error = error_of([&] { claim_state(root / "file/root/.podctl"); });
    EXPECT_EQ(error.kind(), ErrorKind::preflight);
    EXPECT_THAT(error.hint(), HasSubstr("--root"));
}

TEST_F(State, TheLockOfAnotherUserIsMadeAnew) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    claim_state(state);
    write_file_atomically(state / "lock", "");
    give_to_nobody(state / "lock");
    const Fd theirs{::open((state / "lock").c_str(), O_RDONLY | O_CLOEXEC)};
    ASSERT_EQ(::flock(theirs.get(), LOCK_EX), 0);
    const PodLock lock{state / "lock", state.parent_path()};
    EXPECT_THROW((PodLock{state / "lock", state.parent_path()}), Error);
    EXPECT_EQ(mode_of(state / "lock"), 0600u);
}

TEST_F(State, TheLockFollowsNoLink) {
    claim_state(state);
    write_file_atomically(root / "theirs", "content");
    fs::create_symlink("../theirs", state / "lock");
    const PodLock lock{state / "lock", state.parent_path()};
    EXPECT_EQ(read_file(root / "theirs"), "content");
}

TEST_F(State, AJournalThatOthersMayHaveWrittenSaysNothingAndIsMadeAnew) {
    claim_state(state);
    const fs::path file = state / "journal.jsonl";
    Journal{file}.put("theirs", {.fingerprint = "f", .facts = {}});
    ::chmod(file.c_str(), 0666);
    {
        Journal journal{file};
        EXPECT_THAT(journal.distrust(), HasSubstr("written by others"));
        EXPECT_FALSE(journal.find("theirs"));
        journal.put("ours", {.fingerprint = "f", .facts = {}});
    }
    const Journal again{file};
    EXPECT_THAT(again.distrust(), IsEmpty());
    EXPECT_TRUE(again.find("ours"));
    EXPECT_FALSE(again.find("theirs"));
    EXPECT_EQ(mode_of(file), 0600u);
}

}  // namespace
}  // namespace podctl::run

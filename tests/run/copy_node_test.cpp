#include "podctl/base/error.hpp"

#include "step_test.hpp"

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace podctl::run {
namespace {

class CopyStep : public StepTest {
protected:
    CopyStep() {
        write("from/a.py", "1");
        write("from/b/c.py", "22");
    }
    // Each with a time of its own, which a file's content has to go with.
    void write(const std::string& file, const std::string& content) {
        write_file_atomically(root / file, content);
        const timespec time{.tv_sec = 1'700'000'000 + ++writes_, .tv_nsec = 5};
        const timespec times[2] = {time, time};
        ASSERT_EQ(::utimensat(AT_FDCWD, (root / file).c_str(), times, 0), 0);
    }

    const plan::CopyNode copy{.from = root / "from", .path = root / "custom_nodes/pack"};

private:
    int writes_ = 0;
};

TEST_F(CopyStep, CopiesAFolderWithItsTimesAndRecordsThem) {
    EXPECT_EQ(look_at(copy).change, Change::create);
    const auto outcome = bring(copy);
    EXPECT_TRUE(outcome.changed);
    EXPECT_THAT(
        outcome.facts,
        ElementsAre(
            Pair("files", R"({"a.py":[1,1700000001000000005],"b/c.py":[2,1700000002000000005]})")));
    EXPECT_EQ(read_file(copy.path / "b/c.py"), "22");
    EXPECT_EQ(file_stamp(copy.path / "a.py"), file_stamp(copy.from / "a.py"));
    EXPECT_EQ(look_at(copy).change, Change::keep);
    EXPECT_FALSE(bring(copy).changed);
}

TEST_F(CopyStep, LeavesOutWhatPythonAndGitMake) {
    write("from/.git/config", "x");
    write("from/b/__pycache__/c.pyc", "x");
    bring(copy);
    EXPECT_FALSE(fs::exists(copy.path / ".git"));
    EXPECT_FALSE(fs::exists(copy.path / "b/__pycache__"));
}

TEST_F(CopyStep, CopiesLinksOfThePackAndNoneThatLeaveIt) {
    fs::create_symlink("b/c.py", copy.from / "inside");
    fs::create_symlink("../secret", copy.from / "outside");
    bring(copy);
    EXPECT_EQ(fs::read_symlink(copy.path / "inside"), "b/c.py");
    EXPECT_FALSE(fs::exists(fs::symlink_status(copy.path / "outside")));
    EXPECT_EQ(look_at(copy).change, Change::keep);
}

TEST_F(CopyStep, FollowsItsSource) {
    bring(copy);
    write("from/a.py", "changed");
    write("from/new.py", "new");
    fs::remove(copy.from / "b/c.py");
    EXPECT_EQ(look_at(copy).reason, "3 files differ");
    EXPECT_TRUE(bring(copy).changed);
    EXPECT_EQ(read_file(copy.path / "a.py"), "changed");
    EXPECT_EQ(read_file(copy.path / "new.py"), "new");
    EXPECT_FALSE(fs::exists(copy.path / "b/c.py"));
    EXPECT_EQ(look_at(copy).change, Change::keep);
}

TEST_F(CopyStep, FollowsAFileThatBecomesAFolderAndBack) {
    bring(copy);
    fs::remove(copy.from / "a.py");
    write("from/a.py/inner.py", "333");
    fs::remove_all(copy.from / "b");
    write("from/b", "4444");
    fs::create_directories(copy.path / "b/__pycache__");
    EXPECT_TRUE(bring(copy).changed);
    EXPECT_EQ(read_file(copy.path / "a.py/inner.py"), "333");
    EXPECT_EQ(read_file(copy.path / "b"), "4444");
    EXPECT_EQ(look_at(copy).change, Change::keep);
}

TEST_F(CopyStep, TakesNoFolderOfTheUsersForAFileOfItsSource) {
    bring(copy);
    write("custom_nodes/pack/b/mine.txt", "mine");
    fs::remove_all(copy.from / "b");
    write("from/b", "4444");
    fs::remove(copy.from / "a.py");
    const auto error = error_of([&] { bring(copy); });
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.message(), HasSubstr("files that are not the pack's"));
    EXPECT_EQ(read_file(copy.path / "b/mine.txt"), "mine");
    // Nothing was begun.
    EXPECT_EQ(read_file(copy.path / "b/c.py"), "22");
    EXPECT_EQ(read_file(copy.path / "a.py"), "1");
}

TEST_F(CopyStep, LeavesTheUsersFilesInItAlone) {
    bring(copy);
    write("custom_nodes/pack/settings.json", "mine");
    EXPECT_EQ(look_at(copy).change, Change::keep);
    write("from/a.py", "changed");
    bring(copy);
    EXPECT_EQ(read_file(copy.path / "settings.json"), "mine");
}

TEST_F(CopyStep, KeepsWhatWasChangedByHandUnlessForced) {
    bring(copy);
    write("custom_nodes/pack/a.py", "mine");
    EXPECT_EQ(look_at(copy).change, Change::keep);
    EXPECT_THAT(look_at(copy).notice, HasSubstr("a.py was changed by hand"));
    EXPECT_EQ(error_of([&] { bring(copy); }).kind(), ErrorKind::conflict);
    EXPECT_EQ(read_file(copy.path / "a.py"), "mine");
    context.options.force = true;
    EXPECT_EQ(look_at(copy).change, Change::change);
    bring(copy);
    EXPECT_EQ(read_file(copy.path / "a.py"), "1");
    EXPECT_THAT(notices(), testing::Contains(HasSubstr(".podctl/replaced")));
}

TEST_F(CopyStep, DoesNotEmptyTheCopyOfASourceThatIsNotMounted) {
    bring(copy);
    fs::remove_all(copy.from);
    fs::create_directory(copy.from);
    EXPECT_THAT(error_of([&] { bring(copy); }).message(), HasSubstr("was copied from before"));
    EXPECT_TRUE(fs::exists(copy.path / "a.py"));
}

TEST_F(CopyStep, KnowsACopyThatStoodThereByItsContent) {
    fs::create_directories(copy.path.parent_path());
    fs::copy(copy.from, copy.path, fs::copy_options::recursive);
    EXPECT_EQ(look_at(copy).change, Change::change);
    bring(copy);
    EXPECT_EQ(look_at(copy).change, Change::keep);
}

TEST_F(CopyStep, TakesASingleFile) {
    const plan::CopyNode file{.from = root / "from/a.py", .path = root / "custom_nodes/a.py"};
    EXPECT_THAT(bring(file).facts, ElementsAre(Pair("files", R"({"":[1,1700000001000000005]})")));
    EXPECT_EQ(look_at(file).change, Change::keep);
    write("from/a.py", "2");
    EXPECT_EQ(look_at(file).reason, "1 files differ");
    const plan::CopyNode text{.from = root / "from/notes.txt", .path = root / "custom_nodes/x"};
    EXPECT_EQ(error_of([&] { bring(text); }).kind(), ErrorKind::not_found);
    write("from/notes.txt", "x");
    EXPECT_EQ(error_of([&] { bring(text); }).kind(), ErrorKind::template_);
}

TEST_F(CopyStep, OfAPlaceIntoItselfIsTheUsers) {
    const plan::CopyNode own{.from = root / "from", .path = root / "from"};
    const auto outcome = bring(own);
    EXPECT_FALSE(outcome.changed);
    EXPECT_THAT(outcome.facts, testing::Contains(Pair("in_place", "yes")));
}

}  // namespace
}  // namespace podctl::run

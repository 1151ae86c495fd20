#include "podctl/serve/last_run.hpp"

#include "podctl/base/file.hpp"

#include "support/recording_sink.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

namespace podctl::serve {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class LastRunTest : public ::testing::Test {
protected:
    LastRunTest() { ::chmod(dir.path().c_str(), 0700); }

    test::TempDir dir;
    test::RecordingSink events;
    LastRunRecord record{events};
};

TEST_F(LastRunTest, TellsByWhatARunHasFailed) {
    record.emit(event::RunStarted{"pod.yaml", "/root", "1.2.3"});
    record.begin(dir.path());
    EXPECT_FALSE(find_last_run(dir.path())->end);  // one that is killed now
    record.emit(event::StepFailed{"node:a", ErrorKind::git, "no such commit", "another ref"});
    record.emit(event::StepFailed{"node:b", ErrorKind::git, "optional", "", true});
    record.emit(event::LaunchFailed{"comfyui: exit code 1", "its log"});
    record.fail({ErrorKind::io, "the disk is full", "make room"});
    record.emit(event::RunFinished{.ok = false, .exit_code = 4});
    const auto run = find_last_run(dir.path());
    ASSERT_TRUE(run);
    EXPECT_EQ(run->template_path, "pod.yaml");
    EXPECT_EQ(run->version, "1.2.3");
    EXPECT_EQ(run->end->exit_code, 4);
    EXPECT_GE(run->end->at, run->started);
    ASSERT_THAT(run->failures, SizeIs(3));
    EXPECT_EQ(run->failures[0].step, "node:a");
    EXPECT_EQ(run->failures[0].hint, "another ref");
    EXPECT_EQ(run->failures[1].step, "launch");
    EXPECT_EQ(run->failures[2].step, "");
    EXPECT_EQ(run->failures[2].message, "the disk is full");
    EXPECT_THAT(events.all<event::StepFailed>(), SizeIs(2));  // it passes them on
}

TEST_F(LastRunTest, OfARunThatDidNotGetTheRootLeavesTheRecordAsItIs) {
    record.emit(event::RunStarted{"pod.yaml", "/root", "1.2.3"});
    record.begin(dir.path());
    LastRunRecord second{events};
    second.emit(event::RunStarted{"other.yaml", "/root", "1.2.3"});
    second.fail({ErrorKind::locked, "another podctl holds it"});
    second.emit(event::RunFinished{.ok = false, .exit_code = 7});
    EXPECT_EQ(find_last_run(dir.path())->template_path, "pod.yaml");
}

TEST_F(LastRunTest, ThatCannotBeWrittenIsANotice) {
    write_file_atomically(dir / "no folder", "");
    record.begin(dir / "no folder");
    EXPECT_THAT(events.all<event::Notice>().at(0).message, HasSubstr("will not know of this run"));
}

TEST_F(LastRunTest, IsNotBelievedWhereOthersCouldHaveWrittenItOrWhereItIsDamaged) {
    EXPECT_FALSE(find_last_run(dir.path()));
    record.begin(dir.path());
    ::chmod((dir / "last-run.json").c_str(), 0666);
    std::string notice;
    EXPECT_FALSE(find_last_run(dir.path(), [&](const auto& text) { notice = text; }));
    EXPECT_THAT(notice, HasSubstr("is ignored"));
    ::chmod((dir / "last-run.json").c_str(), 0600);
    for (const std::string text : {"", "[]", "{\"template\": 1}", "{}"}) {
        write_file_atomically(dir / "last-run.json", text);
        ::chmod((dir / "last-run.json").c_str(), 0600);
        EXPECT_FALSE(find_last_run(dir.path())) << text;
    }
}

}  // namespace
}  // namespace podctl::serve

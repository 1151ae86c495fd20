#include "podctl/serve/log.hpp"

#include "podctl/base/file.hpp"
#include "podctl/event/log_file.hpp"

#include "support/temp_dir.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

namespace podctl::serve {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Logs : public ::testing::Test {
protected:
    void append(const std::string& file, const std::string& text) const {
        std::ofstream(dir_ / file, std::ios::app | std::ios::binary) << text;
    }
    // At so many milliseconds of one second.
    void write(const std::string& service, int time, const std::string& text) const {
        append(service + ".log", fmt::format("2026-01-31T12:00:00.{:03}Z {}\n", time, text));
    }
    void rotate(const std::string& service) const {
        const auto file = [&](const char* age) { return dir_ / (service + age + ".log"); };
        if (std::filesystem::exists(file(".1"))) std::filesystem::rename(file(".1"), file(".2"));
        std::filesystem::rename(file(""), file(".1"));
    }
    static std::vector<std::string> rest_of(LogReader& reader) {
        std::vector<std::string> lines;
        while (const auto line = reader.next())
            lines.push_back(line->service + ":" + line->text);
        return lines;
    }
    std::vector<std::string> all() const {
        LogReader reader{dir_.path(), {}};
        return rest_of(reader);
    }

    test::TempDir dir_;
};

TEST_F(Logs, OfAllServicesComeInTheOrderOfTheirTimes) {
    write("web", 1, "a");
    write("web", 4, "d");
    write("app", 2, "b");
    write("app", 3, "c");
    EXPECT_THAT(all(), ElementsAre("web:a", "app:b", "app:c", "web:d"));
}

TEST_F(Logs, AreTheUsersAloneAndNotWrittenThroughAnotherName) {
    append("precious", "precious\n");
    std::filesystem::create_hard_link(dir_ / "precious", dir_ / "web.log");
    LogFile log{dir_ / "web.log", [](const std::string& problem) { ADD_FAILURE() << problem; }};
    log.open();
    log.write("line");
    log.flush();
    EXPECT_EQ(read_file(dir_ / "precious"), "precious\n");
    EXPECT_THAT(all(), ElementsAre("web:line"));
    EXPECT_EQ(std::filesystem::status(dir_ / "web.log").permissions(),
              std::filesystem::perms{0600});
}

TEST_F(Logs, AreNotReadFromWhereALinkOrAPipeLeads) {
    write("web", 1, "a");
    append("theirs", "theirs\n");
    std::filesystem::create_symlink("theirs", dir_ / "link.log");
    ASSERT_EQ(::mkfifo((dir_ / "pipe.log").c_str(), 0600), 0);
    EXPECT_THAT(all(), ElementsAre("web:a"));
}

TEST_F(Logs, AreNotWrittenToWhereALinkOrAPipeLeads) {
    append("theirs", "theirs");
    std::filesystem::create_symlink("theirs", dir_ / "link.log");
    ASSERT_EQ(::mkfifo((dir_ / "pipe.log").c_str(), 0600), 0);
    std::vector<std::string> problems;
    for (const auto* name : {"link.log", "pipe.log"}) {
        LogFile log{dir_ / name, [&](const std::string& told) { problems.push_back(told); }};
        log.open();
        log.write("line");
        log.flush();
    }
    EXPECT_THAT(problems, SizeIs(2));
    EXPECT_EQ(read_file(dir_ / "theirs"), "theirs");
}

TEST_F(Logs, BeginWithTheOldestFile) {
    write("web", 1, "a");
    rotate("web");
    write("web", 2, "b");
    rotate("web");
    write("web", 3, "c");
    EXPECT_THAT(all(), ElementsAre("web:a", "web:b", "web:c"));
    EXPECT_THAT(logged_services(dir_.path()), ElementsAre("web"));
}

TEST_F(Logs, KeepTheTimeOfTheLineBeforeForALineWithout) {
    append("web.log", "2026-01-31T12:00:00.001Z first\nsecond\n");
    LogReader reader{dir_.path(), {"web"}};
    EXPECT_EQ(reader.next()->time, "2026-01-31T12:00:00.001Z");
    const auto second = reader.next();
    EXPECT_EQ(second->time, "2026-01-31T12:00:00.001Z");
    EXPECT_EQ(second->text, "second");
}

TEST_F(Logs, AreFollowedOverRotations) {
    write("web", 1, "a");
    LogReader reader{dir_.path(), {}};
    EXPECT_THAT(rest_of(reader), ElementsAre("web:a"));
    EXPECT_THAT(rest_of(reader), IsEmpty());
    write("web", 2, "b");
    EXPECT_THAT(rest_of(reader), ElementsAre("web:b"));
    write("web", 3, "c");
    rotate("web");
    EXPECT_THAT(rest_of(reader), ElementsAre("web:c"));  // in the middle of a rotation
    write("web", 4, "d");
    rotate("web");
    write("web", 5, "e");
    EXPECT_THAT(rest_of(reader), ElementsAre("web:d", "web:e"));
}

TEST_F(Logs, AreFollowedFromAServicesFirstLineOn) {
    LogReader all{dir_ / "", {}}, one{dir_.path(), {"web"}};
    EXPECT_THAT(rest_of(all), IsEmpty());
    EXPECT_THAT(rest_of(one), IsEmpty());
    write("web", 1, "a");
    EXPECT_THAT(rest_of(all), IsEmpty());  // which looks for new ones
    EXPECT_THAT(rest_of(all), ElementsAre("web:a"));
    EXPECT_THAT(rest_of(one), ElementsAre("web:a"));
}

TEST_F(Logs, HandOverWholeLinesOnly) {
    append("web.log", "2026-01-31T12:00:00.001Z fir");
    LogReader reader{dir_.path(), {"web"}};
    EXPECT_THAT(rest_of(reader), IsEmpty());
    append("web.log", "st\n");
    EXPECT_THAT(rest_of(reader), ElementsAre("web:first"));
}

TEST_F(Logs, AreReadAnewWhenTheyWereEmptied) {
    write("web", 1, "a");
    LogReader reader{dir_.path(), {"web"}};
    rest_of(reader);
    std::filesystem::resize_file(dir_ / "web.log", 0);
    EXPECT_THAT(rest_of(reader), IsEmpty());
    write("web", 2, "b");
    EXPECT_THAT(rest_of(reader), ElementsAre("web:b"));
}

TEST_F(Logs, CanBeCutToTheLastLinesOfEach) {
    for (int i = 0; i < 5; ++i)
        write("web", i, std::to_string(i));
    write("app", 9, "only");
    LogReader reader{dir_.path(), {}};
    reader.skip_to_last(2);
    EXPECT_THAT(rest_of(reader), ElementsAre("web:3", "web:4", "app:only"));
    LogReader none{dir_.path(), {}};
    none.skip_to_last(0);
    EXPECT_THAT(rest_of(none), IsEmpty());
    write("web", 6, "new");
    EXPECT_THAT(rest_of(none), ElementsAre("web:new"));
}

TEST_F(Logs, ThatAreLongerThanABlockAreWhole) {
    std::vector<std::string> expected;
    for (int i = 0; i < 3000; ++i) {
        write("web", 1, fmt::format("{:050}", i));
        expected.push_back(fmt::format("web:{:050}", i));
    }
    EXPECT_EQ(all(), expected);
}

TEST_F(Logs, OfPodctlItselfAndOtherFilesAreNoService) {
    write("podctl", 1, "x");
    append("notes.txt", "x");
    EXPECT_THAT(logged_services(dir_.path()), IsEmpty());
    EXPECT_THAT(logged_services(dir_ / "no-such-folder"), IsEmpty());
    LogReader reader{dir_.path(), {"podctl"}};
    EXPECT_THAT(rest_of(reader), ElementsAre("podctl:x"));
}

// What the pod writes, the reader reads.
TEST_F(Logs, OfTheWriterAreReadWithTheirTimes) {
    LogFile log(dir_ / "web.log", [](const std::string& problem) { FAIL() << problem; });
    log.open();
    LogReader reader{dir_.path(), {"web"}};
    const std::string line(1u << 20, 'x');
    for (int i = 0; i < 25; ++i) {
        log.write(line);
        log.flush();
        const auto read = reader.next();
        ASSERT_TRUE(read) << i;
        EXPECT_EQ(read->text, line);
        EXPECT_THAT(read->time, SizeIs(24));
    }
}

}  // namespace
}  // namespace podctl::serve

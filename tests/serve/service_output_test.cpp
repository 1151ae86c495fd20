#include "service_output.hpp"

#include "podctl/event/log_file.hpp"
#include "podctl/serve/log.hpp"

#include "pod_fixture.hpp"

#include <fmt/format.h>

#include <atomic>

namespace podctl::serve {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> lines_of(const std::vector<std::string>& reads) {
    std::vector<std::string> lines;
    OutputLines splitter([&](std::string_view line) { lines.emplace_back(line); });
    for (const auto& read : reads)
        splitter.feed(read);
    splitter.finish();
    return lines;
}

TEST(OutputLines, EndWithLineFeedOrCarriageReturn) {
    EXPECT_THAT(lines_of({"one\ntwo\r\nthree\r50%\r", "\n\nlast"}),
                ElementsAre("one", "two", "three", "50%", "", "last"));
}

TEST(OutputLines, ComeWholeHoweverTheyWereRead) {
    EXPECT_THAT(lines_of({"o", "ne", "\n", "two\r", "\nthree"}),
                ElementsAre("one", "two", "three"));
    EXPECT_THAT(lines_of({""}), IsEmpty());
}

TEST(OutputLines, ThatAreLongAreCutBetweenWords) {
    const std::string secret(100, 'S');
    const auto before = std::string(OutputLines::max_line - 50, 'x') + " ";
    EXPECT_THAT(lines_of({before + secret + " end\n"}), ElementsAre(before, secret + " end"));
}

TEST(OutputLines, ThatAreOneLongWordAreCutBetweenCharacters) {
    std::string text;
    while (text.size() < 40'000)
        text += "\u00e9";
    const auto pieces = lines_of({"a" + text});
    std::string joined;
    for (const auto& piece : pieces) {
        EXPECT_LE(piece.size(), OutputLines::max_line);
        EXPECT_NE(static_cast<unsigned char>(piece[0]) & 0xC0, 0x80);
        joined += piece;
    }
    EXPECT_EQ(joined, "a" + text);
}

TEST(LogFile, TellsOnceThatItCannotBeWritten) {
    test::TempDir dir;
    write_file_atomically(dir / "logs", "a file where the folder should be");
    std::vector<std::string> problems;
    LogFile log(dir / "logs/web.log",
                [&](const std::string& problem) { problems.push_back(problem); });
    log.open();
    log.write("a line");
    log.flush();
    EXPECT_THAT(problems, ElementsAre(HasSubstr("web.log")));
}

TEST(LogFile, IsRotated) {
    test::TempDir dir;
    LogFile log(dir / "web.log", [](const std::string& problem) { FAIL() << problem; });
    log.open();
    const std::string line(1u << 20, 'x');
    for (int i = 0; i < 45; ++i)
        log.write(line);
    log.flush();
    EXPECT_LE(std::filesystem::file_size(dir / "web.log"), 10u << 20);
    EXPECT_TRUE(std::filesystem::exists(dir / "web.2.log"));
    EXPECT_FALSE(std::filesystem::exists(dir / "web.3.log"));
}

class PodOutput : public PodTest {};

TEST_F(PodOutput, GoesToTheLogWithTimeStampsAndToTheEvents) {
    run({stand_in("task", {"--print", "hello", "--exit", "0"})});
    EXPECT_THAT(log("task"), ContainsRegex("20[0-9-]+T[0-9:.]+Z hello\n"));
    EXPECT_EQ(events_.wait_for<event::ServiceOutput>().line, "hello");
    EXPECT_THAT(log("task"), HasSubstr("[podctl] task ended: exit code 0"));
}

TEST_F(PodOutput, HasNoSecretInLogEventsOrMessages) {
    options_.redact = Redactor{{Secret{"hunter2hunter2"}}};
    std::atomic<int> seen = 0;
    auto web = listener("web", {"--print", "key=hunter2hunter2", "--exit", "3"});
    web.on_line = [&](std::string_view line) { seen += line == "key=hunter2hunter2"; };
    EXPECT_THAT(run({web}).message, HasSubstr("key=***"));
    EXPECT_EQ(seen, 1);
    EXPECT_THAT(log("web"), HasSubstr("key=***"));
    EXPECT_THAT(log("web"), Not(HasSubstr("hunter2")));
    EXPECT_EQ(events_.wait_for<event::ServiceOutput>().line, "key=***");
}

TEST_F(PodOutput, IsAllThereWhenMuchOfItComesJustBeforeTheEnd) {
    constexpr int count = 20'000;
    std::atomic<int> seen = 0;
    auto task = stand_in("task", {"--lines", std::to_string(count), "--exit", "0"});
    task.on_line = [&](std::string_view line) { EXPECT_EQ(line, fmt::format("line {}", seen++)); };
    run({task});
    EXPECT_EQ(seen, count);
}

TEST_F(PodOutput, ThatCannotBeLoggedDoesNotEndThePod) {
    write_file_atomically(dir_ / "logs", "a file where the folder should be");
    const auto end = run({stand_in("task", {"--print", "hello", "--exit", "0"})});
    EXPECT_EQ(end.cause, PodEnd::Cause::finished);
    EXPECT_THAT(events_.wait_for<event::Notice>().message, HasSubstr("no log is written to"));
    EXPECT_EQ(events_.wait_for<event::ServiceOutput>().line, "hello");
}

}  // namespace
}  // namespace podctl::serve

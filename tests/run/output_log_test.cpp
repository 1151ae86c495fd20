#include "steps/output_log.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

namespace podctl::run {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;

TEST(OutputLog, WritesNeitherToWhereALinkLeadsNorToAPipe) {
    const test::TempDir dir;
    write_file_atomically(dir / "theirs", "theirs");
    std::filesystem::create_symlink("theirs", dir / "link.log");
    ASSERT_EQ(::mkfifo((dir / "pipe.log").c_str(), 0600), 0);
    EXPECT_THROW(OutputLog{dir / "link.log"}, Error);
    EXPECT_THROW(OutputLog{dir / "pipe.log"}, Error);
    EXPECT_EQ(read_file(dir / "theirs"), "theirs");
}

TEST(OutputLog, IsBoundedAndKeepsTheEnd) {
    const test::TempDir dir;
    OutputLog log{dir / "install.pack.log"};
    const std::string line(1u << 16, 'x');
    for (int i = 0; i < 400; ++i)
        log.add(line);
    log.add("the end");
    std::uintmax_t total = 0;
    for (const auto& file : std::filesystem::directory_iterator{dir.path()}) {
        EXPECT_LE(file.file_size(), OutputLog::max_file);
        total += file.file_size();
    }
    EXPECT_GT(total, OutputLog::max_file);
    EXPECT_THAT(read_file(dir / "install.pack.log"), EndsWith("the end\n"));
    OutputLog again{dir / "install.pack.log"};
    EXPECT_FALSE(std::filesystem::exists(dir / "install.pack.1.log"));
}

TEST(OutputLog, TellsLinesThatNoTerminalObeysAndOfBoundedLength) {
    const test::TempDir dir;
    OutputLog log{dir / "install.pack.log"};
    log.add("\x1b]52;c;AAAA\x07\x1b[31mred");
    log.add(std::string(100'000, 'y'));
    EXPECT_THAT(read_file(dir / "install.pack.log"), StartsWith("\\x1b]52;c;AAAA\\x07red\n"));
    EXPECT_THAT(log.tail(), StartsWith("    \\x1b]52;c;AAAA\\x07red\n    yyy"));
    EXPECT_LT(log.tail().size(), 1'200u);
}

TEST(OutputLog, IsANewFileForTheUserAlone) {
    const test::TempDir dir;
    write_file_atomically(dir / "precious", "precious");
    std::filesystem::create_hard_link(dir / "precious", dir / "a.log");
    OutputLog{dir / "a.log"}.add("line");
    EXPECT_EQ(read_file(dir / "precious"), "precious");
    EXPECT_EQ(read_file(dir / "a.log"), "line\n");
    EXPECT_EQ(std::filesystem::status(dir / "a.log").permissions(), std::filesystem::perms{0600});
}

}  // namespace
}  // namespace podctl::run

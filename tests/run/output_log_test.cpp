#include "steps/output_log.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

namespace podctl::run {
namespace {

TEST(OutputLog, WritesNeitherToWhereALinkLeadsNorToAPipe) {
    const test::TempDir dir;
    write_file_atomically(dir / "theirs", "theirs");
    std::filesystem::create_symlink("theirs", dir / "link.log");
    ASSERT_EQ(::mkfifo((dir / "pipe.log").c_str(), 0600), 0);
    EXPECT_THROW(OutputLog{dir / "link.log"}, Error);
    EXPECT_THROW(OutputLog{dir / "pipe.log"}, Error);
    EXPECT_EQ(read_file(dir / "theirs"), "theirs");
}

}  // namespace
}  // namespace podctl::run

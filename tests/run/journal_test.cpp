#include "podctl/run/journal.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <fstream>

namespace podctl::run {
namespace {

Record record(const std::string& fingerprint) {
    return {.fingerprint = fingerprint, .facts = {{"commit", "abc"}}};
}

TEST(Journal, RemembersTheLastRecordOfAnId) {
    const test::TempDir dir;
    {
        Journal journal{dir / "j"};
        journal.put("a", record("1"));
        journal.put("a", record("2"));
        journal.put("b", record("3"));
        journal.erase("b");
    }
    const Journal again{dir / "j"};
    EXPECT_EQ(again.find("a"), record("2"));
    EXPECT_EQ(again.find("b"), std::nullopt);
}

TEST(Journal, WithoutAFileItIsEmptyAndWritesNone) {
    const test::TempDir dir;
    const Journal journal{dir / "j"};
    EXPECT_EQ(journal.find("a"), std::nullopt);
    EXPECT_FALSE(file_stamp(dir / "j"));
}

TEST(Journal, WritesNothingToWhereALinkLeads) {
    const test::TempDir dir;
    write_file_atomically(dir / "theirs", "theirs\n");
    std::filesystem::create_symlink("theirs", dir / "j");
    Journal journal{dir / "j"};
    journal.put("a", record("1"));
    EXPECT_EQ(read_file(dir / "theirs"), "theirs\n");
}

// A crash may cut the last write at any byte: the old record or the new one, never another.
TEST(Journal, GivesTheOldOrTheNewRecordWhereverTheLastWriteWasCut) {
    const test::TempDir dir;
    {
        Journal journal{dir / "j"};
        journal.put("a", record("old"));
        journal.put("a", record("new"));
    }
    const std::string whole = read_file(dir / "j");
    const std::size_t first_line = whole.find('\n') + 1;
    for (std::size_t size = first_line; size <= whole.size(); ++size) {
        std::ofstream{dir / "cut", std::ios::binary} << whole.substr(0, size);
        Journal journal{dir / "cut"};
        EXPECT_EQ(journal.find("a"), record(size == whole.size() ? "new" : "old")) << size;
        journal.put("b", record("after"));
        const Journal again{dir / "cut"};
        EXPECT_EQ(again.find("b"), record("after")) << size;
        EXPECT_EQ(again.find("a"), journal.find("a")) << size;
    }
}

TEST(Journal, PassesOverLinesThatItCannotRead) {
    const test::TempDir dir;
    { Journal{dir / "j"}.put("a", record("1")); }
    std::ofstream{dir / "j", std::ios::app}
        << "[1,2]\n{\"id\":5}\nnonsense\n{\"id\":\"c\",\"fingerprint\":7}\n";
    Journal journal{dir / "j"};
    EXPECT_EQ(journal.find("a"), record("1"));
    EXPECT_EQ(journal.find("c"), std::nullopt);
}

TEST(Journal, IsWrittenAnewWhenMostOfItIsOutOfDate) {
    const test::TempDir dir;
    Journal journal{dir / "j"};
    for (int i = 0; i < 1000; ++i)
        journal.put("a", record(std::to_string(i)));
    EXPECT_LT(file_stamp(dir / "j")->size, 64u << 10);
    EXPECT_EQ(Journal{dir / "j"}.find("a"), record("999"));
}

}  // namespace
}  // namespace podctl::run

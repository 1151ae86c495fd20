#include "control_file.hpp"

#include "podctl/base/file.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

namespace podctl::download {
namespace {

using namespace std::string_literals;

class Control : public testing::Test {
protected:
    std::string text() const { return read_file(dir / "p.ctl"); }
    void write(const std::string& content) const { write_file_atomically(dir / "p.ctl", content); }
    void replace(const std::string& what, const std::string& with) const {
        auto content = text();
        content.replace(content.find(what), what.size(), with);
        write(content);
    }
    RangeSet loaded() const { return ControlFile::load(dir / "p")->have; }

    test::TempDir dir;
    ControlFile control{dir / "p"};
    const Validators validators{.source = "s",
                                .expected_sha256 = "e",
                                .etag = "\"\xff\"",
                                .last_modified = "m",
                                .size = 100,
                                .server_name = "n"};
};

TEST_F(Control, RemembersWhatWasWritten) {
    EXPECT_FALSE(ControlFile::load(dir / "p"));
    control.start({validators, RangeSet{{0, 10}}});
    control.add(RangeSet{{20, 30}});
    control.add(RangeSet{{10, 15}});
    const auto content = ControlFile::load(dir / "p");
    ASSERT_TRUE(content);
    EXPECT_EQ(content->validators.size, 100u);
    EXPECT_EQ(content->validators.source, "s");
    EXPECT_EQ(content->have.spans(), (std::vector<ByteSpan>{{0, 15}, {20, 30}}));
    ControlFile::remove(dir / "p");
    EXPECT_FALSE(ControlFile::load(dir / "p"));
}

// A process that is killed while it begins a record leaves a file that the next one finds.
TEST_F(Control, LeavesNothingBeside) {
    write_file_atomically(dir / "p.ctl.new", "half of a hea");
    control.start({validators, RangeSet{{0, 10}}});
    EXPECT_EQ(loaded().spans(), (std::vector<ByteSpan>{{0, 10}}));
    write_file_atomically(dir / "p.ctl.new", "half of a hea");
    ControlFile::remove(dir / "p");
    EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST_F(Control, DropsATornLineAndAllBehindAStrangeOne) {
    control.start({validators, {}});
    control.add(RangeSet{{0, 10}});
    const auto whole = text();
    write(whole + "w 10 2");
    EXPECT_EQ(loaded(), (RangeSet{{0, 10}}));
    for (const std::string& strange : {"w 10\n"s, "w 30 20\n"s, "w -1 20\n"s, "x\n"s, "\0\0\n"s}) {
        write(whole + strange + "w 50 60\n");
        EXPECT_EQ(loaded(), (RangeSet{{0, 10}})) << strange;
    }
}

TEST_F(Control, TrustsOnlyWhatWasSyncedAfterAnotherBoot) {
    control.start({validators, {}});
    control.add(RangeSet{{0, 10}});
    control.synced();
    control.add(RangeSet{{10, 20}});
    EXPECT_EQ(loaded(), (RangeSet{{0, 20}}));
    replace("\"boot\":\"", "\"boot\":\"other-");
    EXPECT_EQ(loaded(), (RangeSet{{0, 10}}));
}

TEST_F(Control, IsWorthNothingWhenItsHeadIsNone) {
    for (const char* head :
         {"", "\n", "{}\n", "[1]\n", "{\"version\":1}\nw 0 5\n", "{\"version\":2"}) {
        write(head);
        EXPECT_FALSE(ControlFile::load(dir / "p")) << head;
    }
}

}  // namespace
}  // namespace podctl::download

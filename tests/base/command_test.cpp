#include "podctl/base/file.hpp"
#include "podctl/base/process.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

namespace podctl {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Command, IsDescribedAsAPersonWouldTypeIt) {
    EXPECT_EQ((Command{.argv = {"git", "clone", "a b", "it's", "", "$HOME"}}.describe()),
              "git clone 'a b' 'it'\\''s' '' '$HOME'");
}

TEST(FindProgram, LooksInPath) {
    EXPECT_THAT(find_program("sh").value().string(), HasSubstr("/sh"));
    EXPECT_EQ(find_program("podctl-no-such-program"), std::nullopt);
    EXPECT_EQ(find_program("/bin/sh"), fs::path{"/bin/sh"});
    EXPECT_EQ(find_program("/etc"), std::nullopt);
    EXPECT_EQ(find_program(""), std::nullopt);
}

std::vector<std::string> lines_of(const std::vector<std::string>& pieces) {
    std::vector<std::string> lines;
    LineSplitter splitter{[&](std::string_view line) { lines.emplace_back(line); }};
    for (const auto& piece : pieces)
        splitter.feed(piece);
    splitter.finish();
    return lines;
}

TEST(LineSplitter, JoinsPiecesAndEndsAtEveryKindOfEnd) {
    EXPECT_THAT(lines_of({"a", "b\nc\r\nd\r", "\ne", "\n\nf"}),
                ElementsAre("ab", "c", "d", "e", "", "f"));
}

TEST(LineSplitter, TakesProgressBarsApart) {
    EXPECT_THAT(lines_of({"\r 10%\r 20%", "\r100%\n"}), ElementsAre(" 10%", " 20%", "100%"));
}

TEST(LineSplitter, CutsAnEndlessLine) {
    const auto lines = lines_of({std::string(150'000, 'x'), "\n"});
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_EQ(lines[0].size() + lines[1].size() + lines[2].size(), 150'000u);
    EXPECT_EQ(lines[0].size(), 65'536u);
}
}  // namespace
}  // namespace podctl

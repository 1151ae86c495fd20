#include "podctl/base/file.hpp"
#include "podctl/comfy/comfy.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace podctl::comfy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Pyproject : public testing::Test {
protected:
    std::vector<std::string> dependencies(const std::string& text) {
        write_file_atomically(dir / "pyproject.toml", text);
        return project_dependencies(dir.path());
    }
    test::TempDir dir;
};

TEST_F(Pyproject, ListsWhatThePackAsksFor) {
    EXPECT_THAT(dependencies("[project]\nname = \"x\" # y\ndependencies = [\n  \"numpy>=2\",\n"
                             "  'pillow ; python_version > \"3.9\"',\n]\n[tool.comfy]\nA = 1\n"),
                ElementsAre("numpy>=2", "pillow ; python_version > \"3.9\""));
    EXPECT_THAT(dependencies("[project]\nname = \"x\"\n"), IsEmpty());
    EXPECT_THAT(dependencies("[tool.poetry.dependencies]\nnumpy = \"2\"\n"), IsEmpty());
}

TEST_F(Pyproject, CountsOnlyWithoutARequirementsFile) {
    write_file_atomically(dir / "requirements.txt", "scipy\n");
    EXPECT_THAT(dependencies("[project]\ndependencies = [\"numpy\"]\n"), IsEmpty());
}

TEST_F(Pyproject, GivesNoOptionsAndNoFurtherLines) {
    EXPECT_THAT(dependencies("[project]\ndependencies = [\"--index-url https://x\", \"-e .\", "
                             "\"numpy\\n--find-links /x\", \"/etc/x\", \"\", \"scipy\"]\n"),
                ElementsAre("scipy"));
}

TEST_F(Pyproject, ThatIsBrokenOrABombGivesNothing) {
    EXPECT_THAT(dependencies("[project\n"), IsEmpty());
    EXPECT_THAT(dependencies("[project]\ndependencies = \"numpy\"\n"), IsEmpty());
    EXPECT_THAT(dependencies("[project]\ndependencies = [1]\n"), IsEmpty());
    EXPECT_THAT(dependencies("project = 1\n"), IsEmpty());
    EXPECT_THAT(dependencies(std::string("\xff\0", 2)), IsEmpty());
    for (const auto* quote : {"'", "\"", "'''", "\"\"\""})
        EXPECT_THAT(dependencies("a = " + std::string{quote} + "\xff" + quote + "\n" +
                                 "[project]\ndependencies = [\"numpy\"]\n"),
                    IsEmpty());
    EXPECT_THAT(dependencies("a = " + std::string(100'000, '[')), IsEmpty());
    EXPECT_THAT(dependencies("a = " + std::string(100'000, '{')), IsEmpty());
    std::string key = "a";
    for (int i = 0; i < 100'000; ++i)
        key += ".a";
    EXPECT_THAT(dependencies(key + " = 1\n"), IsEmpty());
    // As much as is read.
    EXPECT_THAT(dependencies("a = " + std::string(300, '[')), IsEmpty());
    EXPECT_THAT(dependencies("a = " + std::string(300, '{')), IsEmpty());
}

}  // namespace
}  // namespace podctl::comfy

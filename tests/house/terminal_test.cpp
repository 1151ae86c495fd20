#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <vector>

// What others wrote is made safe where it leaves the program (src/cli/put.hpp), and nowhere else:
// so nothing may leave it elsewhere.
namespace {

namespace fs = std::filesystem;

const fs::path source{PODCTL_SOURCE_DIR};

// Comments and the insides of string literals talk of stdout, too.
std::string code_of(std::string line) {
    static const std::regex literal{R"("(\\.|[^"\\])*")"};
    line = std::regex_replace(line, literal, "\"\"");
    return line.substr(0, line.find("//"));
}

// "file:line: code" of each line below `folder` that has `word`, but in the files `allowed`.
std::vector<std::string> lines_with(const std::regex& word, const fs::path& folder,
                                    const std::set<fs::path>& allowed) {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator{source / folder}) {
        const auto extension = entry.path().extension();
        const auto path = entry.path().lexically_relative(source);
        if ((extension != ".cpp" && extension != ".hpp") || allowed.contains(path)) continue;
        std::ifstream file{entry.path()};
        int number = 0;
        for (std::string line; std::getline(file, line);) {
            ++number;
            const auto code = code_of(line);
            if (std::regex_search(code, word))
                found.push_back(path.string() + ":" + std::to_string(number) + ": " + code);
        }
    }
    return found;
}

using ::testing::IsEmpty;

TEST(House, OnlyPutWritesToTheTerminal) {
    const std::regex stdio{R"(\bcout\b|\bcerr\b|\bclog\b|\bstdout\b|\bstderr\b|\bf?printf\b)"
                           R"(|\bf?puts\b|\bputchar\b|\bperror\b|\bfmt::print)"};
    EXPECT_THAT(lines_with(stdio, "src", {"src/cli/put.cpp"}), IsEmpty());
    EXPECT_FALSE(lines_with(stdio, "src", {}).empty());
}

TEST(House, OnlyWhatPodctlComposesGoesRoundTheCleaning) {
    const std::regex composed{R"(\b(put|try)_composed\b)"};
    EXPECT_THAT(lines_with(composed, "src",
                           {"src/cli/put.cpp", "src/cli/put.hpp", "src/cli/sinks.cpp",
                            "src/cli/live_sink.cpp", "src/cli/commands/logs.cpp"}),
                IsEmpty());
}

TEST(House, JsonLinesAreMadeInOnePlace) {
    EXPECT_THAT(lines_with(std::regex{R"(\.dump\()"}, "src/cli", {"src/cli/put.cpp"}), IsEmpty());
}

}  // namespace

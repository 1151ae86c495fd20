#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <string>

// All JSON that podctl reads was written by somebody else, or lies where somebody else writes: it
// is read by the one parser that has bounds (podctl/base/json.hpp).
namespace {

namespace fs = std::filesystem;

TEST(House, OnlyTheBoundedParserReadsJson) {
    const fs::path source{PODCTL_SOURCE_DIR};
    static const std::regex parser{
        R"(json::(parse|accept|sax_parse|from_\w+)\b|Json::parse\b|"_json\b|>>\s*json)"};
    int seen = 0;
    for (const auto& entry : fs::recursive_directory_iterator{source / "src"}) {
        const auto extension = entry.path().extension();
        if (extension != ".cpp" && extension != ".hpp") continue;
        const bool is_the_parser =
            entry.path().lexically_relative(source) == fs::path{"src/base/json.cpp"};
        std::ifstream file{entry.path()};
        for (std::string line; std::getline(file, line);) {
            if (!std::regex_search(line, parser)) continue;
            seen += is_the_parser;
            EXPECT_TRUE(is_the_parser) << entry.path() << ": " << line;
        }
    }
    EXPECT_GT(seen, 0);
}

}  // namespace

#include "sources.hpp"

#include <gtest/gtest.h>

#include <regex>

// All JSON that podctl reads was written by somebody else, or lies where somebody else writes: it
// is read by the one parser that has bounds (podctl/base/json.hpp).
namespace podctl::house {
namespace {

TEST(House, OnlyTheBoundedParserReadsJson) {
    static const std::regex parser{
        R"(json::(parse|accept|sax_parse|from_\w+)\b|Json::parse\b|"_json\b|>>\s*json)"};
    int seen = 0;
    visit_lines("src", [&](const SourceLine& line) {
        if (line.text.find("json") == std::string::npos &&
            line.text.find("Json") == std::string::npos)
            return;  // the expression is slow
        if (!std::regex_search(line.text, parser)) return;
        const bool is_the_parser = line.file == "src/base/json.cpp";
        seen += is_the_parser;
        EXPECT_TRUE(is_the_parser) << line.file << ": " << line.text;
    });
    EXPECT_GT(seen, 0);
}

}  // namespace
}  // namespace podctl::house

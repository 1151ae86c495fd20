#include "sources.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

// A file is read in one go: it has at most 400 lines, or its first ten say why it is longer than
// others ("Longer than others, since …").
namespace podctl::house {
namespace {

namespace fs = std::filesystem;

constexpr int most_lines = 400;
constexpr int head_lines = 10;

struct File {
    int lines = 0;
    std::string head;
};

bool says_why_it_is_long(const std::string& head) {
    return head.find("Longer than others, since") != std::string::npos;
}

TEST(House, ALongFileSaysWhy) {
    std::map<fs::path, File> files;
    for (const auto* folder : {"src", "include"}) {
        visit_lines(folder, [&](const SourceLine& line) {
            auto& file = files[line.file];
            file.lines = line.number;
            if (line.number <= head_lines) file.head += line.text + "\n";
        });
    }
    for (const auto& [path, file] : files)
        EXPECT_TRUE(file.lines <= most_lines || says_why_it_is_long(file.head))
            << path << " has " << file.lines << " lines";
    EXPECT_GT(files.size(), 200u);
}

}  // namespace
}  // namespace podctl::house

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

// A file is read in one go: it has at most 400 lines, or its first ten say why it is longer than
// others ("Longer than others, since …").
namespace {

namespace fs = std::filesystem;

constexpr int most_lines = 400;
constexpr int head_lines = 10;

struct Read {
    int lines = 0;
    std::string head;
};

Read read(const fs::path& path) {
    Read read;
    std::ifstream file{path};
    for (std::string line; std::getline(file, line);)
        if (++read.lines <= head_lines) read.head += line + "\n";
    return read;
}

bool says_why_it_is_long(const std::string& head) {
    return head.find("Longer than others, since") != std::string::npos;
}

TEST(House, ALongFileSaysWhy) {
    const fs::path source{PODCTL_SOURCE_DIR};
    int seen = 0;
    for (const auto* folder : {"src", "include"}) {
        for (const auto& entry : fs::recursive_directory_iterator{source / folder}) {
            const auto extension = entry.path().extension();
            if (extension != ".cpp" && extension != ".hpp") continue;
            ++seen;
            const auto [lines, head] = read(entry.path());
            EXPECT_TRUE(lines <= most_lines || says_why_it_is_long(head))
                << entry.path() << " has " << lines << " lines";
        }
    }
    EXPECT_GT(seen, 200);
}

}  // namespace

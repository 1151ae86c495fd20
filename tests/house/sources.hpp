#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

// What the tests of the house's rules read.
namespace podctl::house {

inline const std::filesystem::path source{PODCTL_SOURCE_DIR};

struct SourceLine {
    std::filesystem::path file;  // relative to the source
    int number = 0;              // from 1 on
    std::string text;
};

// Calls `visit(const SourceLine&)` with each line of the C++ files below a folder of the source.
template <typename Visit>
void visit_lines(const std::filesystem::path& folder, const Visit& visit) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator{source / folder}) {
        const auto extension = entry.path().extension();
        if (extension != ".cpp" && extension != ".hpp") continue;
        SourceLine line{.file = entry.path().lexically_relative(source), .number = 0, .text = {}};
        for (std::ifstream file{entry.path()}; std::getline(file, line.text);) {
            ++line.number;
            visit(line);
        }
    }
}

}  // namespace podctl::house

#include "podctl/base/file.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

// A tag of an action can be moved to other code at any time, a commit cannot: whoever copies a
// workflow out of the docs gets the code that was looked at.
namespace podctl {
namespace {

namespace fs = std::filesystem;

TEST(House, EveryActionIsPinnedByItsCommit) {
    // "uses: OWNER/NAME[/PATH]@COMMIT  # vVERSION"; an action of the repository itself is "./PATH".
    const std::regex uses{R"(^\s*(- )?uses:\s*(\S.*)$)"};
    const std::regex pinned{R"(\.\S+|[\w.-]+/[\w./-]+@[0-9a-f]{40}\s+# v\d+(\.\d+)*)"};
    int seen = 0;
    for (const char* folder : {"docs", "templates", ".github", "README.md"}) {
        const fs::path place = fs::path{PODCTL_SOURCE_DIR} / folder;
        std::vector<fs::path> files;
        if (fs::is_regular_file(place)) files.push_back(place);
        if (fs::is_directory(place))
            for (const auto& entry : fs::recursive_directory_iterator{place})
                if (entry.is_regular_file()) files.push_back(entry.path());
        for (const auto& file : files) {
            std::istringstream lines{read_file(file)};
            for (std::string line; std::getline(lines, line);) {
                std::smatch found;
                if (line.size() > 500 || !std::regex_match(line, found, uses)) continue;
                ++seen;
                EXPECT_TRUE(std::regex_match(found[2].str(), pinned)) << file << ": " << line;
            }
        }
    }
    EXPECT_GE(seen, 4);
}

}  // namespace
}  // namespace podctl

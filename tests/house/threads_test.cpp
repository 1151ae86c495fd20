#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <string>

// An exception that leaves a thread's function ends the process, and a pod with it: threads are
// started by start_thread() (podctl/base/thread.hpp), which catches everything, or by std::async,
// whose future hands on what was thrown.
namespace {

namespace fs = std::filesystem;

TEST(House, EveryThreadIsStartedWhereNothingCanEscape) {
    const fs::path source{PODCTL_SOURCE_DIR};
    // A value of the type with something to run, or one made inside a vector of them.
    static const std::regex started{
        R"(std::j?thread\s*[({]|(threads?|workers?|painter|timer|thread)_?\.emplace_back|pthread_create|_\s*[({]\[.*\]\s*\((const )?std::stop_token|\.detach\(\))"};
    int seen = 0;
    for (const auto* folder : {"src", "include"}) {
        for (const auto& entry : fs::recursive_directory_iterator{source / folder}) {
            const auto extension = entry.path().extension();
            if (extension != ".cpp" && extension != ".hpp") continue;
            if (entry.path().lexically_relative(source) == "include/podctl/base/thread.hpp")
                continue;
            std::ifstream file{entry.path()};
            int number = 0;
            for (std::string line; std::getline(file, line);) {
                ++number;
                if (line.find("start_thread(") != line.npos) ++seen;
                EXPECT_FALSE(std::regex_search(line, started))
                    << entry.path() << ":" << number << ": " << line;
            }
        }
    }
    EXPECT_GT(seen, 8);
}

}  // namespace

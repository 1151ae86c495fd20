#include "sources.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <regex>
#include <string_view>

// An exception that leaves a thread's function ends the process, and a pod with it: threads are
// started by start_thread() (podctl/base/thread.hpp), which catches everything, or by std::async,
// whose future hands on what was thrown.
namespace podctl::house {
namespace {

TEST(House, EveryThreadIsStartedWhereNothingCanEscape) {
    // A value of the type with something to run, or one made inside a vector of them.
    static const std::regex started{
        R"(std::j?thread\s*[({]|(threads?|workers?|painter|timer|thread)_?\.emplace_back|pthread_create|_\s*[({]\[.*\]\s*\((const )?std::stop_token|\.detach\(\))"};
    // One of these is in each line that fits: the expression is slow.
    constexpr std::array<std::string_view, 4> hints{"thread", "emplace_back", "stop_token",
                                                    "detach"};
    int seen = 0;
    for (const auto* folder : {"src", "include"}) {
        visit_lines(folder, [&](const SourceLine& line) {
            const bool may_fit = std::ranges::any_of(
                hints, [&](auto hint) { return line.text.find(hint) != std::string::npos; });
            if (!may_fit || line.file == "include/podctl/base/thread.hpp") return;
            if (line.text.find("start_thread(") != std::string::npos) ++seen;
            EXPECT_FALSE(std::regex_search(line.text, started))
                << line.file << ":" << line.number << ": " << line.text;
        });
    }
    EXPECT_GT(seen, 8);
}

// Deadlines, interruptions and what poll(2) cannot take are minded in one place.
TEST(House, WhoeverWaitsForDescriptorsDoesItThroughBase) {
    visit_lines("src", [&](const SourceLine& line) {
        if (line.file == "src/base/wait.cpp") return;
        for (const std::string_view call : {"::poll(", "::select(", "::epoll_", "::eventfd"})
            EXPECT_TRUE(line.text.find(call) == std::string::npos ||
                        line.text.find("Child::poll") != std::string::npos)
                << line.file << ":" << line.number << ": " << line.text;
    });
}

}  // namespace
}  // namespace podctl::house

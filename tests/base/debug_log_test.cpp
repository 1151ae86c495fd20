#include "podctl/base/debug_log.hpp"

#include <gmock/gmock.h>

#include <thread>
#include <vector>

namespace podctl {
namespace {

using testing::ElementsAre;

TEST(DebugLog, IsNotEvenMadeWhereNobodyTakesIt) {
    bool made = false;
    const auto line = [&] {
        made = true;
        return std::string{"x"};
    };
    log_debug("http", line);
    EXPECT_FALSE(made);
    {
        const DebugLines taken{[](auto, const auto&) {}};
    }
    log_debug("http", line);
    EXPECT_FALSE(made);
}

TEST(DebugLog, GoesToAllWhoTakeIt) {
    std::vector<std::string> first, second;
    const auto into = [](std::vector<std::string>& lines) {
        return [&lines](std::string_view room, const std::string& line) {
            lines.push_back(std::string{room} + ": " + line);
        };
    };
    const DebugLines all{into(first)};
    log_debug("git", [] { return std::string{"a"}; });
    {
        const DebugLines some{into(second)};
        std::jthread other{[] { log_debug("http", [] { return std::string{"b"}; }); }};
    }
    log_debug("run", [] { return std::string{"c"}; });
    EXPECT_THAT(first, ElementsAre("git: a", "http: b", "run: c"));
    EXPECT_THAT(second, ElementsAre("http: b"));
}

}  // namespace
}  // namespace podctl

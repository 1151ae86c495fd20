#include "live_view.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace podctl::cli {
namespace {

using std::chrono::seconds;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

LiveStep file(std::string id, std::uint64_t done, std::uint64_t total) {
    return {
        .id = std::move(id),
        .running = seconds{5},
        .progress = Reading{.done = done, .total = total, .rate = 25'000'000, .eta = seconds{85}}};
}

Overall two_files() {
    return {.bytes = {.done = 1'200'000'000,
                      .total = 8'400'000'000,
                      .rate = 85'000'000,
                      .eta = seconds{85}},
            .files = 2,
            .files_running = 2};
}

std::vector<LiveStep> many_files(std::size_t count) {
    std::vector<LiveStep> steps;
    for (std::size_t i = 0; i < count; ++i)
        steps.push_back(
            file(fmt::format("file-{:02}.safetensors", i), 1'000'000, 1'000'000 + i * 50'000'000));
    return steps;
}

TEST(LiveView, ALineHasNameBarAmountsRateAndTimeLeft) {
    const auto lines = live_lines({file("a.safetensors", 500'000'000, 1'000'000'000)}, {}, {});
    ASSERT_THAT(lines, SizeIs(1));
    EXPECT_EQ(lines[0], "a.safetensors  [#####.....]   50%    500.0 MB/1.0 GB   25.0 MB/s   1m25s");
}

TEST(LiveView, ManyFilesFillTheScreenAndNoMoreTheLargestFirst) {
    const auto lines = live_lines(many_files(64), two_files(), {.columns = 100, .rows = 24});
    ASSERT_THAT(lines, SizeIs(23));
    EXPECT_THAT(lines.front(), StartsWith("file-63"));
    EXPECT_THAT(lines[21], StartsWith("file-42"));
    EXPECT_EQ(lines.back(),
              "in all: 1.2 GB of 8.4 GB (14%), 85.0 MB/s, 1m25s left, 0 of 2 files, 42 not shown");
}

TEST(LiveView, WhatMovesIsShownBeforeWhatWaits) {
    auto steps = many_files(64);
    for (auto& step : steps)
        if (step.id != "file-07.safetensors") step.progress->rate = 0;
    const auto lines = live_lines(steps, two_files(), {.columns = 100, .rows = 24});
    EXPECT_THAT(lines[0], StartsWith("file-07"));
    EXPECT_THAT(lines[1], StartsWith("file-63"));
}

TEST(LiveView, FewFilesKeepTheirPlaces) {
    const auto lines =
        live_lines({file("a", 0, 100), file("b", 0, 900)}, two_files(), {.columns = 80});
    ASSERT_THAT(lines, SizeIs(3));
    EXPECT_THAT(lines[0], StartsWith("a "));
    EXPECT_THAT(lines[2], StartsWith("in all: "));
}

TEST(LiveView, NoLineIsWiderThanTheTerminal) {
    auto steps = many_files(5);
    steps.push_back({.id = "python.install of an environment with a long name"});
    steps.push_back({.id = "git", .progress = Reading{.done = 5, .unit = "objects"}});
    steps.push_back(file("模型/很长的名字很长的名字很长的名字很长的名字.safetensors", 1, 9));
    for (std::size_t columns = 1; columns < 200; ++columns) {
        for (const auto& line : live_lines(steps, two_files(), {.columns = columns, .rows = 50}))
            EXPECT_LT(text_width(line), std::max<std::size_t>(columns, 2)) << line;
    }
}

TEST(LiveView, ANarrowWindowKeepsNamePercentageAndTimeLeft) {
    const auto lines = live_lines({file("checkpoints/sd_xl_base_1.0.safetensors", 1, 4)},
                                  two_files(), {.columns = 40});
    EXPECT_THAT(lines[0], StartsWith("..."));
    EXPECT_THAT(lines[0], HasSubstr("25%"));
    EXPECT_THAT(lines[0], HasSubstr("1m25s"));
    EXPECT_EQ(live_lines({}, two_files(), {.columns = 40}).at(0), "in all: 14% 85.0 MB/s 1m25s");
}

TEST(LiveView, ATinyWindowHasALine) {
    EXPECT_THAT(live_lines(many_files(9), {}, {.columns = 20, .rows = 2}), SizeIs(1));
}

TEST(LiveView, WhatWouldMoveTheCursorIsReplaced) {
    const auto lines = live_lines({file("a\x1b[2J\nb\xff", 1, 4)}, {}, {});
    EXPECT_THAT(lines, Each(Not(HasSubstr("\x1b"))));
    EXPECT_THAT(lines, Each(Not(HasSubstr("\n"))));
    EXPECT_THAT(lines, Each(Not(HasSubstr("\xff"))));
}

TEST(LiveView, MeasuresColumnsAndNotBytes) {
    EXPECT_EQ(text_width("abc"), 3u);
    EXPECT_EQ(text_width("äöü"), 3u);
    EXPECT_EQ(text_width("模型"), 4u);
    EXPECT_EQ(clipped("模型", 3), "模");
    EXPECT_EQ(clipped_front("0123456789", 6), "...789");
    EXPECT_EQ(clipped_front("模型模型", 6), "...型");
}

}  // namespace
}  // namespace podctl::cli

#include "range_set.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace podctl::download {
namespace {

TEST(RangeSet, JoinsWhatTouchesAndOverlaps) {
    RangeSet set;
    set.add({10, 20});
    set.add({30, 40});
    set.add({20, 25});
    EXPECT_EQ(set.spans(), (std::vector<ByteSpan>{{10, 25}, {30, 40}}));
    set.add({24, 31});
    EXPECT_EQ(set.spans(), (std::vector<ByteSpan>{{10, 40}}));
    set.add({5, 5});
    EXPECT_EQ(set.size(), 30u);
}

TEST(RangeSet, RemovesFromTheMiddleAndTheEnds) {
    RangeSet set{{0, 100}};
    set.remove({40, 60});
    set.remove({0, 10});
    set.remove({95, 200});
    EXPECT_EQ(set.spans(), (std::vector<ByteSpan>{{10, 40}, {60, 95}}));
}

TEST(RangeSet, KnowsTheEndOfARun) {
    RangeSet set{{0, 10}};
    set.add({20, 30});
    EXPECT_EQ(set.end_of_run(0), 10u);
    EXPECT_EQ(set.end_of_run(10), 10u);
    EXPECT_EQ(set.end_of_run(25), 30u);
    EXPECT_EQ(set.end_of_run(40), 40u);
    EXPECT_EQ(RangeSet{}.end_of_run(0), 0u);
}

TEST(RangeSet, AgreesWithASetOfSingleBytes) {
    constexpr std::uint64_t size = 64;
    std::mt19937 random(7);
    const auto pick = [&] { return std::uniform_int_distribution<std::uint64_t>{0, size}(random); };
    for (int round = 0; round < 200; ++round) {
        RangeSet set;
        std::vector<bool> bytes(size, false);
        for (int i = 0; i < 12; ++i) {
            const auto a = pick(), b = pick();
            const ByteSpan span{std::min(a, b), std::max(a, b)};
            const bool adds = random() % 3 != 0;
            adds ? set.add(span) : set.remove(span);
            for (auto at = span.begin; at < span.end; ++at)
                bytes[at] = adds;
        }
        RangeSet same, rest;
        for (std::uint64_t at = 0; at < size; ++at)
            (bytes[at] ? same : rest).add({at, at + 1});
        EXPECT_EQ(set, same);
        EXPECT_EQ(set.missing(size), rest);
    }
}

}  // namespace
}  // namespace podctl::download

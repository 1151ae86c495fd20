#include "transfer_share.hpp"

#include <gtest/gtest.h>

namespace podctl::download {
namespace {

constexpr std::uint64_t GiB = 1u << 30;

TEST(Allot, GivesEachOneFirstTheSmallestFirst) {
    EXPECT_EQ(allot({{5 * GiB, 4}, {10, 1}, {6 * GiB, 4}}, 2), (std::vector<unsigned>{1, 1, 0}));
}

TEST(Allot, SharesTheRestEvenlyUpToWhatIsWanted) {
    EXPECT_EQ(allot({{5 * GiB, 16}, {6 * GiB, 16}, {7 * GiB, 2}}, 16),
              (std::vector<unsigned>{7, 7, 2}));
    EXPECT_EQ(allot({{GiB, 3}}, 16), (std::vector<unsigned>{3}));
    EXPECT_EQ(allot({{GiB, 0}}, 16), (std::vector<unsigned>{0}));
    EXPECT_TRUE(allot({}, 16).empty());
}

TEST(ConnectionBudget, IsNeverExceededAndAsksTheRichForTheirSurplus) {
    ConnectionBudget budget(4);
    int told = 0;
    ConnectionBudget::Seat large(budget, [&] { ++told; });
    large.claim({5 * GiB, 16});
    for (int i = 0; i < 4; ++i)
        EXPECT_TRUE(large.take());
    EXPECT_FALSE(large.take());
    EXPECT_EQ(large.surplus(), 0u);

    ConnectionBudget::Seat small(budget, [] {});
    small.claim({10, 1});
    EXPECT_FALSE(small.take());
    EXPECT_EQ(large.surplus(), 1u);
    EXPECT_GT(told, 0);
    large.give_back();
    EXPECT_EQ(large.surplus(), 0u);
    EXPECT_FALSE(large.take());  // it is the small one's
    EXPECT_TRUE(small.take());
}

TEST(ConnectionBudget, GivesBackWhatASeatHeldWhenItIsGone) {
    ConnectionBudget budget(1);
    ConnectionBudget::Seat second(budget, [] {});
    {
        ConnectionBudget::Seat first(budget, [] {});
        first.claim({1, 1});
        EXPECT_TRUE(first.take());
        second.claim({2, 1});
        EXPECT_FALSE(second.take());
    }
    EXPECT_TRUE(second.take());
}

TEST(TransferShare, HasTwoBlocksForEveryConnectionAndABoundForAll) {
    for (const unsigned connections : {1u, 2u, 16u, 33u, 64u}) {
        TransferShare share(connections, machine::room_in_page_cache());
        std::vector<Block> blocks;
        while (auto block = share.blocks.try_take())
            blocks.push_back(std::move(block));
        EXPECT_GE(blocks.size(), 2 * connections);
        EXPECT_LE(blocks.size() * share.blocks.block_size(), 32u << 20);
        EXPECT_EQ(share.blocks.block_size() % 4096, 0u);
    }
}

}  // namespace
}  // namespace podctl::download

#include "pace.hpp"

#include "support/sizes.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace podctl::download {
namespace {

using namespace std::chrono_literals;

using test::MiB;

// A link, as a transfer that follows Pace at once would see it: `rate` says what `n` connections
// bring a second.
class Link {
public:
    explicit Link(std::function<double(unsigned)> rate) : rate_(std::move(rate)) {}

    void run(Pace& pace, std::chrono::milliseconds time, bool held_back = false) {
        for (auto t = 0ms; t < time; t += 100ms) {
            now_ += 100ms;
            received_ += rate_(pace.target()) / 10;
            most_ = std::max(most_, pace.target());
            pace.observe({.now = now_,
                          .received = static_cast<std::uint64_t>(received_),
                          .remaining = remaining,
                          .active = pace.target(),
                          .flowing = pace.target(),
                          .held_back = held_back});
        }
    }
    unsigned most() const { return most_; }
    Pace::Clock::time_point now() const { return now_; }
    std::uint64_t remaining = 4096 * MiB;

private:
    std::function<double(unsigned)> rate_;
    Pace::Clock::time_point now_{};
    double received_ = 0;
    unsigned most_ = 1;
};

TEST(Pace, GoesToTheLimitWhereEveryConnectionIsThrottled) {
    Link link([](unsigned n) { return 4.0 * MiB * n; });
    Pace pace(16, 400 * MiB);
    link.run(pace, 1s);
    EXPECT_EQ(pace.target(), 16u);
}

TEST(Pace, GoesBackToOneWhereTheLinkIsTheLimit) {
    Link link([](unsigned) { return 100.0 * MiB; });
    Pace pace(16, 400 * MiB);
    link.run(pace, 2s);
    EXPECT_EQ(pace.target(), 1u);
    EXPECT_EQ(link.most(), 4u);  // it was tried
}

TEST(Pace, StaysWhereMoreBringsNothingMore) {
    Link link([](unsigned n) { return std::min(4.0 * MiB * n, 16.0 * MiB); });
    Pace pace(16, 400 * MiB);
    link.run(pace, 3s);
    EXPECT_EQ(pace.target(), 4u);
}

TEST(Pace, TriesAgainLaterAndLessOften) {
    Link link([](unsigned) { return 10.0 * MiB; });
    Pace pace(16, 400 * MiB);
    int trials = 0;
    unsigned before = 1;
    for (int i = 0; i < 600; ++i) {
        link.run(pace, 100ms);
        trials += pace.target() > before;
        before = pace.target();
    }
    EXPECT_GE(trials, 3);
    EXPECT_LE(trials, 5);
}

TEST(Pace, StaysAtOneWhenDiskOrDigestHoldItBack) {
    Link link([](unsigned n) { return 4.0 * MiB * n; });
    Pace pace(16, 400 * MiB);
    link.run(pace, 3s, true);
    EXPECT_EQ(link.most(), 1u);
}

TEST(Pace, StaysAtOneWhereOneIsEnoughOrLittleIsLeft) {
    Link fast([](unsigned n) { return 500.0 * MiB * n; });
    Pace pace(16, 400 * MiB);
    fast.run(pace, 3s);
    EXPECT_EQ(fast.most(), 1u);
    Link slow([](unsigned n) { return 4.0 * MiB * n; });
    slow.remaining = MiB;
    slow.run(pace, 3s);
    EXPECT_EQ(slow.most(), 1u);
}

TEST(Pace, FallsBackToWhatAServerTakesAndTriesMoreLater) {
    Link link([](unsigned n) { return 4.0 * MiB * n; });
    Pace pace(16, 400 * MiB);
    link.run(pace, 1s);
    pace.limit(3, link.now());
    link.run(pace, 1500ms);
    EXPECT_EQ(pace.target(), 3u);
    link.run(pace, 3s);
    EXPECT_EQ(pace.target(), 16u);
}

}  // namespace
}  // namespace podctl::download

#include "segments.hpp"

#include "support/sizes.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>

namespace podctl::download {
namespace {

using namespace std::chrono_literals;

using test::MiB;
using End = Segments::End;

// A file of a known size that comes over some connections, by a clock of its own.
struct Arriving {
    explicit Arriving(std::uint64_t size) { segments.set_size(size); }

    std::optional<ByteSpan> next(unsigned connections = 1) {
        const auto piece = segments.next_piece(connections);
        return piece ? std::optional{piece->span} : std::nullopt;
    }
    Segment& begin(unsigned connections = 1) {
        return segments.hand_out(segments.next_piece(connections).value(), now);
    }
    void bring(Segment& segment, std::size_t size) {
        segments.advance(segment, segments.arrive(segment, size, now));
    }
    // As if the segment had brought so much a second of late.
    Segment& begin_at_rate(unsigned connections, double rate) {
        auto& segment = begin(connections);
        bring(segment, 1);
        segment.rate = rate;
        return segment;
    }

    Segments segments;
    Segments::Clock::time_point now{1h};
};

TEST(Segments, BeginWithOneForAllOfAFileWhoseSizeNobodyKnows) {
    Segments segments;
    const Segments::Clock::time_point now{1h};
    const auto piece = segments.next_piece(4);
    EXPECT_EQ(piece->span, (ByteSpan{0, ByteSpan::no_end}));
    auto& segment = segments.hand_out(*piece, now);
    segments.advance(segment, segments.arrive(segment, 3 * MiB, now));
    EXPECT_EQ(segments.progress(), 3 * MiB);
    EXPECT_EQ(segments.remaining(), 0u);

    segments.set_size(10 * MiB);
    EXPECT_EQ(segment.end, 10 * MiB);
    EXPECT_EQ(segments.remaining(), 7 * MiB);
    segments.put_back(segment, End::cut, 0, now);
    EXPECT_EQ(segments.next_piece(1)->span, (ByteSpan{3 * MiB, 10 * MiB}));
}

TEST(Segments, GoOnFromTheFrontWhileNobodyKnowsTheSize) {
    Segments segments;
    const Segments::Clock::time_point now{1h};
    auto& segment = segments.hand_out(*segments.next_piece(1), now);
    segments.advance(segment, segments.arrive(segment, 5000, now));
    segments.put_back(segment, End::cut, 904, now);
    EXPECT_EQ(segments.progress(), 4096u);
    EXPECT_EQ(segments.next_piece(1)->span, (ByteSpan{4096, ByteSpan::no_end}));
    // It ended there, or was to have more.
    segments.set_size(6000);
    EXPECT_EQ(segments.next_piece(1)->span, (ByteSpan{4096, 6000}));
}

TEST(Segments, ReckonWithTheExpectedSizeUntilTheServerNamesOne) {
    Segments segments(10 * MiB);
    EXPECT_EQ(segments.likely_size(), 10 * MiB);
    EXPECT_EQ(segments.remaining(), 10 * MiB);
    EXPECT_FALSE(segments.size());
    segments.set_size(8 * MiB);
    EXPECT_EQ(segments.likely_size(), 8 * MiB);
    EXPECT_EQ(segments.remaining(), 8 * MiB);
}

TEST(Segments, GoOnFromWhatIsThere) {
    RangeSet have{{0, 4 * MiB}};
    have.add({8 * MiB, 12 * MiB});
    Arriving file(0);
    file.segments.go_on_from(have, 16 * MiB);
    EXPECT_EQ(file.segments.progress(), 8 * MiB);
    EXPECT_EQ(file.begin().begin, 4 * MiB);
    EXPECT_EQ(file.next(), (ByteSpan{12 * MiB, 16 * MiB}));

    Segments unsized;
    unsized.go_on_from(have, {});
    EXPECT_EQ(unsized.next_piece(1)->span, (ByteSpan{4 * MiB, ByteSpan::no_end}));
    unsized.start_anew();
    EXPECT_EQ(unsized.progress(), 0u);
}

TEST(Segments, ArePiecesFromTheFrontOnAndAllOfAGapForOneAlone) {
    Arriving file(64 * MiB);
    EXPECT_EQ(file.next(1), (ByteSpan{0, 64 * MiB}));
    file.begin(4);
    EXPECT_EQ(file.next(4), (ByteSpan{MiB, 2 * MiB}));
    EXPECT_EQ(file.next(1), (ByteSpan{MiB, 64 * MiB}));
}

TEST(Segments, AreWorthTwoSecondsButNoMoreThanADigestCanWaitFor) {
    Arriving file(1024 * MiB);
    auto& segment = file.begin(2);
    segment.rate = 10.0 * MiB;
    EXPECT_EQ(file.next(2)->size(), 20 * MiB);
    segment.rate = 100.0 * MiB;
    EXPECT_EQ(file.next(2)->size(), 32 * MiB);
    EXPECT_LT(file.next(128)->size(), 5 * MiB);  // each is to have two
}

TEST(Segments, TakeAPartOfTheBusiestWhereNoGapIsLeft) {
    Arriving file(64 * MiB);
    auto& first = file.begin();
    file.bring(first, 4 * MiB);
    first.rate = 1.0 * MiB;
    const auto piece = file.segments.next_piece(4);
    ASSERT_TRUE(piece);
    EXPECT_EQ(piece->from, &first);
    EXPECT_EQ(piece->span, (ByteSpan{6 * MiB + 4096, 8 * MiB + 4096}));

    auto& part = file.segments.hand_out(*piece, file.now);
    EXPECT_EQ(file.segments.progress(), 4 * MiB);
    EXPECT_EQ(first.end, 64 * MiB);  // until the server sends it
    EXPECT_FALSE(file.next(4));      // one part at a time
    EXPECT_TRUE(file.segments.take_over(part));
    EXPECT_EQ(first.end, part.begin);
    EXPECT_EQ(file.next(), (ByteSpan{8 * MiB + 4096, 64 * MiB}));
    EXPECT_EQ(file.segments.progress(), 4 * MiB);
}

TEST(Segments, TakeNoPartThatIsNotWorthARequest) {
    Arriving file(64 * MiB);
    auto& first = file.begin();
    EXPECT_FALSE(file.next(4)) << "nobody knows how fast it is";
    file.bring(first, 1);
    EXPECT_TRUE(file.next(4));
    first.rate = 1024.0 * MiB;
    EXPECT_FALSE(file.next(4)) << "it is done at once";
    first.rate = 1;
    file.bring(first, 62 * MiB);
    EXPECT_FALSE(file.next(4)) << "it is small";
}

TEST(Segments, LeaveAPartToWhoHasComeByAlready) {
    Arriving file(64 * MiB);
    auto& first = file.begin_at_rate(1, 1.0 * MiB);
    auto& part = file.begin(4);
    ASSERT_EQ(part.from, &first);
    file.bring(first, part.begin);
    EXPECT_FALSE(file.segments.take_over(part));
    EXPECT_EQ(part.left(), 0u);
    EXPECT_EQ(first.end, 64 * MiB);
    file.segments.put_back(part, End::reached, 0, file.now);
    EXPECT_EQ(file.segments.next_piece(1)->from, &first);  // there is no gap
}

TEST(Segments, PutBackWhatWasNotBrought) {
    Arriving file(64 * MiB);
    auto& first = file.begin(4);
    auto& second = file.begin(4);
    file.bring(first, 10'000);
    const Segment over = file.segments.put_back(first, End::cut, 10'000 - 8192, file.now);
    EXPECT_EQ(over.brought(), 8192u);
    EXPECT_EQ(over.end, MiB);
    EXPECT_EQ(file.segments.count(), 1u);
    EXPECT_EQ(file.segments.progress(), 8192u);
    EXPECT_EQ(file.next(), (ByteSpan{8192, MiB}));
    file.bring(second, MiB);
    file.segments.put_back(second, End::reached, 0, file.now);
    EXPECT_EQ(file.segments.progress(), MiB + 8192);
}

TEST(Segments, KeepThePartOfOneThatEndsBeforeIt) {
    Arriving file(64 * MiB);
    auto& first = file.begin_at_rate(1, 1.0 * MiB);
    auto& part = file.begin(4);
    file.segments.put_back(first, End::cut, 1, file.now);
    EXPECT_FALSE(part.dropped);
    EXPECT_EQ(part.from, nullptr);
    EXPECT_EQ(file.next(), (ByteSpan{0, part.begin}));
    file.begin();
    EXPECT_EQ(file.next(), (ByteSpan{part.end, 64 * MiB}));
}

TEST(Segments, DropThePartOfOneThatHasComeByWhenItEnds) {
    Arriving file(64 * MiB);
    auto& first = file.begin_at_rate(1, 1.0 * MiB);
    auto& part = file.begin(4);
    file.bring(first, part.begin);
    file.segments.put_back(first, End::cut, 0, file.now);
    EXPECT_TRUE(part.dropped);
    EXPECT_EQ(part.left(), 0u);
    const std::uint64_t at = part.begin + 1;
    file.segments.put_back(part, End::cut, 0, file.now);
    EXPECT_EQ(file.next(), (ByteSpan{at, 64 * MiB}));
}

TEST(Segments, EndWhereTheFileDoesWhateverWasPromised) {
    Arriving file(16 * MiB);
    auto& first = file.begin();
    file.bring(first, 10 * MiB);
    file.segments.put_back(first, End::cut, 0, file.now);
    file.segments.set_size(12 * MiB);
    EXPECT_EQ(file.next(), (ByteSpan{10 * MiB, 12 * MiB}));
    EXPECT_FALSE(file.segments.is_complete());
    file.segments.set_size(10 * MiB);
    EXPECT_TRUE(file.segments.is_complete());
}

TEST(Segments, TakeNoByteThatIsAnothers) {
    Arriving file(64 * MiB);
    auto& first = file.begin(4);
    file.bring(first, MiB - 10);
    EXPECT_EQ(file.segments.arrive(first, 100, file.now), 10u);
    EXPECT_EQ(file.segments.received(), MiB + 90);
}

TEST(Segments, KnowWhetherTheyCameFurtherThanEver) {
    Arriving file(64 * MiB);
    EXPECT_FALSE(file.segments.note_progress());
    auto& first = file.begin();
    file.bring(first, MiB);
    EXPECT_TRUE(file.segments.note_progress());
    EXPECT_FALSE(file.segments.note_progress());
    file.segments.put_back(first, End::cut, MiB, file.now);
    EXPECT_FALSE(file.segments.note_progress());
    file.bring(file.begin(), MiB);
    EXPECT_FALSE(file.segments.note_progress());
}

TEST(Segments, ThatStartAnewComeFurtherWithTheFirstByteOfTheOtherFile) {
    Arriving file(64 * MiB);
    auto& first = file.begin();
    file.bring(first, MiB);
    EXPECT_TRUE(file.segments.note_progress());
    file.segments.put_back(first, End::cut, MiB, file.now);
    file.segments.clear();
    file.segments.start_anew();
    EXPECT_FALSE(file.segments.note_progress());
    file.segments.set_size(64 * MiB);
    file.bring(file.begin(), 1);
    EXPECT_TRUE(file.segments.note_progress());
}

TEST(Segments, TellPaceHowTheyGetOn) {
    Arriving file(64 * MiB);
    auto& first = file.begin(4);
    auto& dropped = file.begin(4);
    file.begin(4);
    file.segments.drop(dropped);
    file.segments.measure(file.now);
    file.bring(first, MiB / 2);
    file.segments.hold_back(first, file.now);
    file.now += 500ms;
    const auto sample = file.segments.measure(file.now);
    EXPECT_EQ(sample.received, MiB / 2);
    EXPECT_EQ(sample.remaining, 64 * MiB - MiB / 2);
    EXPECT_EQ(sample.active, 2u);
    EXPECT_EQ(sample.flowing, 1u);
    EXPECT_TRUE(sample.held_back);
    EXPECT_DOUBLE_EQ(first.rate, 1.0 * MiB);
    file.now += 500ms;
    EXPECT_FALSE(file.segments.measure(file.now).held_back);
    EXPECT_DOUBLE_EQ(first.rate, 0.7 * MiB);  // it does not forget at once
}

TEST(Segments, ThatStallAreDroppedMorePatientlyEachTime) {
    Arriving file(64 * MiB);
    for (const auto patience : {4s, 8s, 16s, 30s, 30s}) {
        auto& segment = file.begin();
        file.now += 40s;
        file.segments.drop_slow(file.now);
        EXPECT_FALSE(segment.dropped) << "its server may be slow to begin";
        file.bring(segment, 1);
        file.now += patience;
        file.segments.drop_slow(file.now);
        EXPECT_FALSE(segment.dropped) << patience.count();
        file.now += 1ms;
        file.segments.drop_slow(file.now);
        EXPECT_TRUE(segment.dropped) << patience.count();
        file.segments.put_back(segment, End::cut, 0, file.now);
    }
}

TEST(Segments, ThatWaitForTheDiskDoNotStall) {
    Arriving file(64 * MiB);
    auto& segment = file.begin();
    file.bring(segment, 1);
    file.now += 1min;
    file.segments.hold_back(segment, file.now);
    file.segments.drop_slow(file.now);
    EXPECT_FALSE(segment.dropped);
}

TEST(Segments, ThatAreFarSlowerThanTheOthersAreDroppedOneASecond) {
    Arriving file(1024 * MiB);
    auto& quick = file.begin_at_rate(8, 10.0 * MiB);
    auto& fair = file.begin_at_rate(8, 5.0 * MiB);
    auto& usual = file.begin_at_rate(8, 10.0 * MiB);
    auto& slow = file.begin_at_rate(8, 1.0 * MiB);
    auto& slow_too = file.begin_at_rate(8, 1.0 * MiB);
    auto& quick_too = file.begin_at_rate(8, 10.0 * MiB);
    file.now += 1s;
    file.segments.drop_slow(file.now);
    EXPECT_FALSE(slow.dropped) << "it has just begun";
    file.now += 1ms;
    file.segments.drop_slow(file.now);
    file.segments.drop_slow(file.now);
    EXPECT_TRUE(slow.dropped);
    EXPECT_FALSE(slow_too.dropped);
    file.now += 1s;
    file.segments.drop_slow(file.now);
    EXPECT_TRUE(slow_too.dropped);
    EXPECT_FALSE(quick.dropped || fair.dropped || usual.dropped || quick_too.dropped);
}

TEST(Segments, ThatAreAloneAreMeasuredByTheLastWholeOne) {
    Arriving file(1024 * MiB);
    auto& first = file.begin(4);
    file.bring(first, 1);
    file.now += 100ms;
    file.bring(first, MiB);
    ASSERT_EQ(first.left(), 0u);
    file.segments.put_back(first, End::reached, 0, file.now);  // 10 MiB a second
    auto& second = file.begin_at_rate(1, 3.0 * MiB);
    file.now += 2s;
    file.segments.drop_slow(file.now);
    EXPECT_FALSE(second.dropped);
    second.rate = 2.0 * MiB;
    file.segments.drop_slow(file.now);
    EXPECT_TRUE(second.dropped);
}

TEST(Segments, MakeRoomByTheSlowest) {
    Arriving file(64 * MiB);
    auto& fast = file.begin_at_rate(4, 3);
    auto& slow = file.begin_at_rate(4, 1);
    auto& middle = file.begin_at_rate(4, 2);
    file.segments.drop_slowest(0);
    EXPECT_FALSE(slow.dropped);
    file.segments.drop_slowest(2);
    EXPECT_TRUE(slow.dropped && middle.dropped);
    EXPECT_FALSE(fast.dropped);
    file.segments.drop_slowest(5);
    EXPECT_TRUE(fast.dropped);
}

}  // namespace
}  // namespace podctl::download

#pragma once

#include "pace.hpp"
#include "range_set.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>

namespace podctl::download {

// A stretch of a file that one request brings.
struct Segment {
    using Clock = std::chrono::steady_clock;

    std::uint64_t begin = 0;
    std::uint64_t at = 0;                  // the next byte that is to come
    std::uint64_t end = ByteSpan::no_end;  // where it is enough; may come nearer while it runs
    // Its bytes are still another segment's until the server has shown that it sends them.
    Segment* from = nullptr;
    bool dropped = false;  // nobody waits for it any more: its end is no fault

    Clock::time_point first_byte = {};
    Clock::time_point last_byte = {};  // or since when the next one is waited for
    std::uint64_t measured_at = 0;
    double rate = 0;  // bytes a second of late

    std::uint64_t brought() const { return at - begin; }
    std::uint64_t left() const { return end == ByteSpan::no_end ? ByteSpan::no_end : end - at; }
    bool is_flowing() const { return first_byte != Clock::time_point{}; }
    // Seconds until it is done at its rate.
    double eta() const { return static_cast<double>(left()) / (rate > 1 ? rate : 1); }
};

// Who brings what of a file: the segments that are at work, and the gaps that nobody fills yet. A
// byte that is not there belongs to exactly one of them. Pure: it is told what happens and
// remembers. While the size is unknown there are no gaps, but one segment at most, from the front
// to wherever the file ends.
class Segments {
public:
    using Clock = Segment::Clock;

    // `expected`: a size to reckon with until the server names one.
    explicit Segments(std::optional<std::uint64_t> expected = {}) : expected_(expected) {}

    // What is there already. Nothing may be on its way.
    void go_on_from(const RangeSet& have, std::optional<std::uint64_t> size);
    void start_anew() {
        go_on_from({}, {});
        furthest_ = 0;  // what comes from now on is of another file
    }
    // The file ends there, whatever was known before; before it bytes may still lack.
    void set_size(std::uint64_t size);

    std::optional<std::uint64_t> size() const { return size_; }
    std::optional<std::uint64_t> likely_size() const { return size_ ? size_ : expected_; }
    bool is_complete() const { return size_ && missing_.empty() && at_work_.empty(); }
    std::uint64_t progress() const;   // bytes that are there
    std::uint64_t remaining() const;  // bytes that are not; 0 while nobody knows
    std::uint64_t received() const { return received_; }  // bytes that came, wanted or not
    // Notes how far it is. True: further than it ever was.
    bool note_progress();

    bool empty() const { return at_work_.empty(); }
    std::size_t count() const { return at_work_.size(); }

    // What one more request would bring.
    struct Piece {
        ByteSpan span;
        Segment* from = nullptr;  // whose part it is so far
    };
    // From the front on, so that the digest keeps up; all of a gap where there is to be one
    // connection alone, else a piece of it. Where no gap is left, a part of the segment that would
    // take the longest, if that pays. nullopt: there is nothing to do.
    std::optional<Piece> next_piece(unsigned connections);
    Segment& hand_out(const Piece& piece, Clock::time_point now);
    // The server sends what the segment asked for. Where it is a part of another one, that one goes
    // on to where the part begins, and what comes after the part is a gap. False: the other one has
    // come by already.
    bool take_over(Segment& segment);

    // Bytes have come. Returns how many of them are the segment's; the rest is another's.
    std::size_t arrive(Segment& segment, std::size_t size, Clock::time_point now);
    // So many of them are kept.
    void advance(Segment& segment, std::size_t size) { segment.at += size; }
    // Its bytes have to wait for the disk or the digest.
    void hold_back(Segment& segment, Clock::time_point now);

    enum class End { reached, cut };
    // The segment is over, and `lost` bytes of its last ones were let go of: what it did not bring
    // is a gap again. A part of it that another segment has asked for is that one's own now; one
    // that it has reached itself is dropped. Returns what the segment was; the reference is void.
    Segment put_back(Segment& segment, End end, std::uint64_t lost, Clock::time_point now);
    void drop(Segment& segment) { segment.dropped = true; }
    // Forgets those that are at work, and what they were to bring.
    void clear() { at_work_.clear(); }

    // How they got on since the last call.
    Pace::Sample measure(Clock::time_point now);
    Clock::time_point measured() const { return measured_; }  // when that was
    // Drops a segment that stalls, or is far slower than its peers: another connection may get a
    // better path, or another server. One a second at most.
    void drop_slow(Clock::time_point now);
    // Drops so many, beginning with the slowest.
    void drop_slowest(unsigned count);

private:
    std::optional<Piece> part_of_busiest(unsigned connections);
    bool is_asked_of(const Segment& segment) const;
    std::uint64_t piece_size(unsigned connections) const;
    double usual_rate() const;

    const std::optional<std::uint64_t> expected_;
    std::optional<std::uint64_t> size_;
    RangeSet missing_;         // the gaps; once the size is known
    std::uint64_t front_ = 0;  // where the bytes that are there end, as long as it is not
    std::list<Segment> at_work_;
    std::uint64_t furthest_ = 0;
    std::uint64_t received_ = 0;

    Clock::time_point measured_{};
    bool held_back_ = false;  // since then
    double last_rate_ = 0;    // of the last segment that came to its end, bytes a second
    // A connection without a byte for so long is replaced; more is waited where that does not help.
    std::chrono::milliseconds stall_patience_ = std::chrono::seconds{4};
    Clock::time_point last_replacement_{};
};

}  // namespace podctl::download

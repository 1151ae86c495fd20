#include "segments.hpp"

#include "partial_file.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace podctl::download {
namespace {

using namespace std::chrono_literals;

// A request costs a round trip, so a piece is worth some seconds; what lies ahead of the digest has
// to wait in the page cache, so it is not worth more.
constexpr double piece_seconds = 2;
constexpr std::uint64_t smallest_piece = 1u << 20;
constexpr std::uint64_t largest_piece = 32u << 20;
constexpr double worth_splitting = 0.5;  // seconds

constexpr auto slow_after = 1s;
constexpr double slow_part = 0.25;     // of what the others bring
constexpr double worth_replacing = 2;  // seconds
constexpr auto replacement_interval = 1s;
constexpr std::chrono::milliseconds longest_stall_patience = 30s;

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

double in_seconds(Segments::Clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

void Segments::go_on_from(const RangeSet& have, std::optional<std::uint64_t> size) {
    size_ = size;
    front_ = have.end_of_run(0);
    missing_ = size ? have.missing(*size) : RangeSet{};
}

void Segments::set_size(std::uint64_t size) {
    if (size_) {
        missing_.remove({size, ByteSpan::no_end});
    } else if (at_work_.empty()) {
        missing_ = RangeSet{{front_, size}};
    } else {
        for (auto& segment : at_work_)
            segment.end = std::min(segment.end, size);
    }
    size_ = size;
}

std::uint64_t Segments::progress() const {
    if (!size_) return at_work_.empty() ? front_ : at_work_.front().at;
    std::uint64_t open = missing_.size();
    for (const auto& segment : at_work_)
        if (!segment.from && segment.end != ByteSpan::no_end) open += segment.left();
    return *size_ - std::min(*size_, open);
}

std::uint64_t Segments::remaining() const {
    const auto size = likely_size();
    return size ? *size - std::min(*size, progress()) : 0;
}

bool Segments::note_progress() {
    const std::uint64_t now = progress();
    if (now <= furthest_) return false;
    furthest_ = now;
    return true;
}

std::optional<Segments::Piece> Segments::next_piece(unsigned connections) {
    if (!size_) return Piece{{front_, ByteSpan::no_end}};
    if (missing_.empty()) return part_of_busiest(connections);
    ByteSpan span = missing_.spans().front();
    if (connections > 1)
        span.end =
            std::min(span.end, PartialFile::aligned_down(span.begin + piece_size(connections)));
    return Piece{span};
}

bool Segments::is_asked_of(const Segment& segment) const {
    return std::ranges::any_of(at_work_, [&](const auto& other) { return other.from == &segment; });
}

std::optional<Segments::Piece> Segments::part_of_busiest(unsigned connections) {
    Segment* busiest = nullptr;
    for (auto& segment : at_work_) {
        if (segment.dropped || segment.from || !segment.is_flowing() || is_asked_of(segment))
            continue;
        if (!busiest || segment.eta() > busiest->eta()) busiest = &segment;
    }
    if (!busiest || busiest->left() < 2 * smallest_piece || busiest->eta() < worth_splitting)
        return std::nullopt;
    const std::uint64_t piece = std::min(piece_size(connections), busiest->left() / 2);
    const std::uint64_t begin =
        PartialFile::aligned_down(busiest->at + piece) + PartialFile::alignment;
    const std::uint64_t end =
        std::min(busiest->end, PartialFile::aligned_down(begin + piece_size(connections)));
    if (begin >= end) return std::nullopt;
    return Piece{{begin, end}, busiest};
}

std::uint64_t Segments::piece_size(unsigned connections) const {
    double rate = 0;
    for (const auto& segment : at_work_)
        rate = std::max(rate, segment.rate);
    const auto by_rate = static_cast<std::uint64_t>(rate * piece_seconds);
    const std::uint64_t by_rest = remaining() / (std::uint64_t{2} * connections);
    return PartialFile::aligned_down(
        std::clamp(std::min(by_rate, by_rest), smallest_piece, largest_piece));
}

Segment& Segments::hand_out(const Piece& piece, Clock::time_point now) {
    const ByteSpan span = piece.span;
    auto& segment = at_work_.emplace_back();
    segment.begin = segment.at = segment.measured_at = span.begin;
    segment.end = span.end;
    segment.from = piece.from;
    segment.last_byte = now;
    if (!piece.from) missing_.remove(span);
    return segment;
}

bool Segments::take_over(Segment& segment) {
    if (!segment.from) return true;
    Segment& other = *std::exchange(segment.from, nullptr);
    if (other.at >= segment.begin || other.end < segment.end) {
        segment.end = segment.at;
        return false;
    }
    missing_.add({segment.end, other.end});
    other.end = segment.begin;
    return true;
}

std::size_t Segments::arrive(Segment& segment, std::size_t size, Clock::time_point now) {
    segment.last_byte = now;
    if (!segment.is_flowing()) segment.first_byte = now;
    received_ += size;
    return static_cast<std::size_t>(std::min<std::uint64_t>(size, segment.left()));
}

void Segments::hold_back(Segment& segment, Clock::time_point now) {
    held_back_ = true;
    segment.last_byte = now;
}

Segment Segments::put_back(Segment& segment, End end, std::uint64_t lost, Clock::time_point now) {
    if (end == End::reached && segment.is_flowing())
        last_rate_ = static_cast<double>(segment.brought()) /
                     std::max(in_seconds(now - segment.first_byte), 0.01);
    segment.at -= lost;
    if (!size_) front_ = segment.at;
    if (size_ && !segment.from) missing_.add({segment.at, std::min(segment.end, *size_)});
    for (auto& other : at_work_) {
        if (other.from != &segment) continue;
        other.from = nullptr;
        if (segment.at <= other.begin && other.end <= segment.end) {
            missing_.remove({other.begin, other.end});
        } else {
            other.end = other.at;
            drop(other);
        }
    }
    Segment over = segment;
    at_work_.remove_if([&](const Segment& it) { return &it == &segment; });
    return over;
}

Pace::Sample Segments::measure(Clock::time_point now) {
    const double passed = in_seconds(now - std::exchange(measured_, now));
    Pace::Sample sample{.now = now,
                        .received = received_,
                        .remaining = remaining(),
                        .held_back = std::exchange(held_back_, false)};
    for (auto& segment : at_work_) {
        constexpr double weight = 0.3;
        const double fresh = static_cast<double>(segment.at - segment.measured_at) / passed;
        segment.rate = segment.rate == 0 ? fresh : segment.rate + weight * (fresh - segment.rate);
        segment.measured_at = segment.at;
        if (segment.dropped) continue;
        ++sample.active;
        if (segment.is_flowing()) ++sample.flowing;
    }
    return sample;
}

double Segments::usual_rate() const {
    std::vector<double> rates;
    for (const auto& segment : at_work_)
        if (segment.is_flowing()) rates.push_back(segment.rate);
    return rates.size() > 1 ? median(rates) : last_rate_;
}

void Segments::drop_slow(Clock::time_point now) {
    if (now - last_replacement_ < replacement_interval) return;
    const double usual = usual_rate();
    for (auto& segment : at_work_) {
        if (segment.dropped || !segment.is_flowing()) continue;
        const bool stalls = now - segment.last_byte > stall_patience_;
        const bool is_slow = now - segment.first_byte > slow_after &&
                             segment.rate < slow_part * usual && segment.eta() > worth_replacing;
        if (!stalls && !is_slow) continue;
        if (stalls) stall_patience_ = std::min(stall_patience_ * 2, longest_stall_patience);
        last_replacement_ = now;
        return drop(segment);
    }
}

void Segments::drop_slowest(unsigned count) {
    for (; count > 0; --count) {
        Segment* least = nullptr;
        for (auto& segment : at_work_)
            if (!segment.dropped && (!least || segment.rate < least->rate)) least = &segment;
        if (!least) return;
        drop(*least);
    }
}

}  // namespace podctl::download

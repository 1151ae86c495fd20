// Who brings what: requests, pieces, and how many of them at once.
#include "podctl/base/error.hpp"

#include "transfer.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

namespace podctl::download {
namespace {

using namespace std::chrono_literals;

constexpr auto measure_interval = 100ms;
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

}  // namespace

void Transfer::launch() {
    while (may_ask()) {
        const auto work = next_work();
        if (!work || !seat_.take()) return;
        ask(*work);
    }
}

bool Transfer::may_ask() const {
    if (Clock::now() < ask_from_ || segments_.size() >= pace_.target()) return false;
    if (segments_.empty()) return true;
    if (!known_.size || !is_identified(known_) || ranges_ == Ranges::no) return false;
    // One shows that the server sends ranges; the others follow.
    if (ranges_ == Ranges::unknown && segments_.size() > 1) return false;
    return address_known_ || std::ranges::all_of(segments_, &Segment::answered);
}

std::optional<Transfer::Work> Transfer::next_work() {
    if (!known_.size) return Work{{front_, Segment::unknown_end}};
    if (missing_.empty()) return part_of_busiest();
    ByteSpan span = missing_.spans().front();
    if (pace_.target() > 1 && ranges_ != Ranges::no)
        span.end = std::min(span.end, PartialFile::aligned_down(span.begin + piece_size()));
    return Work{span};
}

std::optional<Transfer::Work> Transfer::part_of_busiest() {
    Segment* busiest = nullptr;
    for (auto& segment : segments_) {
        const bool is_asked_of = std::ranges::any_of(
            segments_, [&](const Segment& other) { return other.from == &segment; });
        if (segment.dropped || segment.from || is_asked_of || !segment.is_flowing()) continue;
        if (!busiest || segment.eta() > busiest->eta()) busiest = &segment;
    }
    if (!busiest || busiest->left() < 2 * smallest_piece || busiest->eta() < worth_splitting)
        return std::nullopt;
    const std::uint64_t piece = std::min(piece_size(), busiest->left() / 2);
    const std::uint64_t begin =
        PartialFile::aligned_down(busiest->at + piece) + PartialFile::alignment;
    const std::uint64_t end =
        std::min(busiest->end, PartialFile::aligned_down(begin + piece_size()));
    if (begin >= end) return std::nullopt;
    return Work{{begin, end}, busiest};
}

std::uint64_t Transfer::piece_size() const {
    double rate = 0;
    for (const auto& segment : segments_)
        rate = std::max(rate, segment.rate);
    const auto by_rate = static_cast<std::uint64_t>(rate * piece_seconds);
    const std::uint64_t by_rest = remaining() / (2u * pace_.target());
    return PartialFile::aligned_down(
        std::clamp(std::min(by_rate, by_rest), smallest_piece, largest_piece));
}

void Transfer::ask(const Work& work) {
    auto& segment = segments_.emplace_back();
    try {
        begin(segment, work);
    } catch (...) {
        // A URL that cannot be asked, no memory: no stream will ever tell of this segment's end.
        segment.ended = true;
        throw;
    }
}

void Transfer::begin(Segment& segment, const Work& work) {
    segment.begin = segment.at = segment.measured_at = work.span.begin;
    segment.end = work.span.end;
    segment.from = work.from;
    segment.url = signed_url_.empty() ? url_ : signed_url_;
    if (segment.begin > 0 || !is_to_the_end(segment)) segment.range = Asked::Range::yes;
    if (!segment.from)
        missing_.remove(work.span);
    else if (ranges_ == Ranges::yes)
        take_over_part(segment);
    segment.stream = http_.start(request_for(segment), sink_of(segment));
}

bool Transfer::is_to_the_end(const Segment& segment) const {
    return segment.end == Segment::unknown_end || segment.end == known_.size;
}

http::Request Transfer::request_for(const Segment& segment) const {
    http::Request request{.url = segment.url, .reach = request_.reach};
    if (segment.url != url_) {
        request.authorization = http::Request::Authorization::none;
        request.reach = signed_reach_;
    }
    if (segment.range == Asked::Range::no) return request;
    request.headers.emplace_back("Range",
                                 is_to_the_end(segment)
                                     ? fmt::format("bytes={}-", segment.begin)
                                     : fmt::format("bytes={}-{}", segment.begin, segment.end - 1));
    if (const auto condition = if_range(known_); !condition.empty())
        request.headers.emplace_back("If-Range", condition);
    return request;
}

// The other goes on to where this segment begins; what comes after this segment is anybody's.
// False: the other has come by already.
bool Transfer::take_over_part(Segment& segment) {
    Segment& other = *std::exchange(segment.from, nullptr);
    if (other.at >= segment.begin || other.end < segment.end) {
        segment.end = segment.at;
        return false;
    }
    missing_.add({segment.end, other.end});
    other.end = segment.begin;
    return true;
}

void Transfer::adjust() {
    file_.check();
    file_.expect(segments_.size() > 1 ? PartialFile::Order::scattered
                                      : PartialFile::Order::sequential);
    if (Clock::now() - last_tick_ < measure_interval) return;
    measure();
    replace_slow();
    make_room_for_others();
    report_progress();
}

void Transfer::measure() {
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - last_tick_).count();
    last_tick_ = now;
    Pace::Sample sample{.now = now,
                        .received = received_,
                        .remaining = remaining(),
                        .held_back = std::exchange(held_back_, false)};
    for (auto& segment : segments_) {
        constexpr double weight = 0.3;
        const double fresh = static_cast<double>(segment.at - segment.measured_at) / seconds;
        segment.rate = segment.rate == 0 ? fresh : segment.rate + weight * (fresh - segment.rate);
        segment.measured_at = segment.at;
        if (segment.dropped) continue;
        ++sample.active;
        if (segment.is_flowing()) ++sample.flowing;
    }
    if (known_.size) pace_.observe(sample);
}

// A connection that stalls, or that is far slower than its peers: another one may get a better
// path, or another server.
void Transfer::replace_slow() {
    const auto now = Clock::now();
    if (now - last_replacement_ < replacement_interval || !is_identified(known_)) return;
    std::vector<double> rates;
    for (const auto& segment : segments_)
        if (segment.is_flowing()) rates.push_back(segment.rate);
    const double usual = rates.size() > 1 ? median(rates) : usual_rate_;
    for (auto& segment : segments_) {
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

void Transfer::make_room_for_others() {
    for (unsigned surplus = seat_.surplus(); surplus > 0; --surplus) {
        Segment* least = nullptr;
        for (auto& segment : segments_)
            if (!segment.dropped && (!least || segment.rate < least->rate)) least = &segment;
        if (!least) return;
        drop(*least);
    }
}

void Transfer::drop(Segment& segment) {
    segment.dropped = true;
    http_.cancel(segment.stream);
}

// Bytes that are still to come; as if it were small while nobody knows.
std::uint64_t Transfer::remaining() const {
    const auto size = known_.size ? known_.size : request_.size;
    return size ? *size - std::min(*size, progress()) : 0;
}

std::uint64_t Transfer::progress() const {
    if (!known_.size) return segments_.empty() ? front_ : segments_.front().at;
    std::uint64_t open = missing_.size();
    for (const auto& segment : segments_)
        if (!segment.from && segment.end != Segment::unknown_end) open += segment.left();
    return *known_.size - std::min(*known_.size, open);
}

void Transfer::report_progress() const {
    if (monitor_.on_progress)
        monitor_.on_progress(
            {.done = progress(), .total = known_.size ? known_.size : request_.size});
}

}  // namespace podctl::download

// Who is asked, and for how long.
#include "transfer.hpp"

#include <algorithm>
#include <utility>

namespace podctl::download {
namespace {

using namespace std::chrono_literals;

constexpr auto measure_interval = 100ms;

}  // namespace

void Transfer::launch() {
    while (may_ask()) {
        const unsigned connections = known_.ranges() == Known::Ranges::no ? 1 : pace_.target();
        const auto piece = segments_.next_piece(connections);
        if (!piece || !seat_.take()) return;
        ask(*piece);
    }
}

bool Transfer::may_ask() const {
    if (Clock::now() < ask_from_ || segments_.count() >= pace_.target()) return false;
    if (segments_.empty()) return true;
    if (!segments_.size() || !known_.is_identified() || known_.ranges() == Known::Ranges::no)
        return false;
    // One shows that the server sends ranges; the others follow.
    if (known_.ranges() == Known::Ranges::unknown && segments_.count() > 1) return false;
    return known_.has_address() || std::ranges::all_of(streams_, &SegmentStream::answered);
}

void Transfer::ask(const Segments::Piece& piece) {
    auto& segment = segments_.hand_out(piece, Clock::now());
    auto& stream = streams_.emplace_back();
    stream.segment = &segment;
    // Where it cannot be asked for (such a URL, no memory) nobody will ever tell of its end.
    stream.ended = true;
    if (known_.ranges() == Known::Ranges::yes) segments_.take_over(segment);
    auto request = known_.request_for(piece.span);
    stream.asked = known_.asked_for(piece.span);
    stream.url = request.url;
    stream.id = http_.start(std::move(request), sink_of(stream));
    stream.ended = false;
}

void Transfer::adjust() {
    file_.check();
    file_.expect(segments_.count() > 1 ? PartialFile::Order::scattered
                                       : PartialFile::Order::sequential);
    const auto now = Clock::now();
    if (now - segments_.measured() < measure_interval) return;
    const auto sample = segments_.measure(now);
    if (segments_.size()) pace_.observe(sample);
    if (known_.is_identified()) segments_.drop_slow(now);
    segments_.drop_slowest(seat_.surplus());
    cancel_dropped();
    report_progress();
}

void Transfer::cancel_dropped() {
    for (auto& stream : streams_) {
        if (!stream.segment->dropped || stream.cancelled) continue;
        stream.cancelled = true;
        http_.cancel(stream.id);
    }
}

void Transfer::report_progress() const {
    if (monitor_.on_progress)
        monitor_.on_progress({.done = segments_.progress(), .total = segments_.likely_size()});
}

}  // namespace podctl::download

#include "range_set.hpp"

#include <algorithm>

namespace podctl::download {

void RangeSet::add(ByteSpan span) {
    if (span.empty()) return;
    const auto first = std::ranges::lower_bound(spans_, span.begin, {}, &ByteSpan::end);
    auto last = first;
    while (last != spans_.end() && last->begin <= span.end) {
        span.begin = std::min(span.begin, last->begin);
        span.end = std::max(span.end, last->end);
        ++last;
    }
    spans_.insert(spans_.erase(first, last), span);
}

void RangeSet::remove(ByteSpan span) {
    if (span.empty()) return;
    std::vector<ByteSpan> kept;
    kept.reserve(spans_.size() + 1);
    for (const auto& one : spans_) {
        const ByteSpan before{one.begin, std::min(one.end, span.begin)};
        const ByteSpan after{std::max(one.begin, span.end), one.end};
        if (!before.empty()) kept.push_back(before);
        if (!after.empty()) kept.push_back(after);
    }
    spans_ = std::move(kept);
}

std::uint64_t RangeSet::size() const {
    std::uint64_t sum = 0;
    for (const auto& span : spans_)
        sum += span.size();
    return sum;
}

std::uint64_t RangeSet::end_of_run(std::uint64_t from) const {
    const auto found = std::ranges::upper_bound(spans_, from, {}, &ByteSpan::end);
    return found != spans_.end() && found->begin <= from ? found->end : from;
}

RangeSet RangeSet::missing(std::uint64_t size) const {
    RangeSet rest{{0, size}};
    for (const auto& span : spans_)
        rest.remove(span);
    return rest;
}

}  // namespace podctl::download

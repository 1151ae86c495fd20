#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace podctl::download {

// Bytes [begin, end) of a file. One up to `no_end` goes as far as the file does.
struct ByteSpan {
    static constexpr std::uint64_t no_end = std::numeric_limits<std::uint64_t>::max();

    std::uint64_t begin = 0, end = 0;

    std::uint64_t size() const { return end - begin; }
    bool empty() const { return end <= begin; }
    friend bool operator==(const ByteSpan&, const ByteSpan&) = default;
};

// A set of bytes, kept as sorted spans that do not touch.
class RangeSet {
public:
    RangeSet() = default;
    explicit RangeSet(ByteSpan span) { add(span); }

    void add(ByteSpan span);
    void remove(ByteSpan span);

    bool empty() const { return spans_.empty(); }
    std::uint64_t size() const;
    // Where the run of bytes that begins at `from` ends; `from` itself when it is not in the set.
    std::uint64_t end_of_run(std::uint64_t from) const;
    // What of [0, size) is not in the set.
    RangeSet missing(std::uint64_t size) const;
    const std::vector<ByteSpan>& spans() const { return spans_; }

    friend bool operator==(const RangeSet&, const RangeSet&) = default;

private:
    std::vector<ByteSpan> spans_;
};

}  // namespace podctl::download

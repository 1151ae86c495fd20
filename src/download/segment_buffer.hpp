#pragma once

#include "block_pool.hpp"
#include "partial_file.hpp"
#include "segments.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace podctl::download {

// The bytes of a segment gather in blocks, which go to the file when they are full, or old. Not
// thread-safe: its transfer's mutex guards it.
class SegmentBuffer {
public:
    // Makes sure that a delivery of curl finds room. False: all memory is in use.
    bool prepare(BlockPool& pool);
    // Bytes that belong at `offset`, each call where the last one ended.
    void add(BlockPool& pool, PartialFile& file, std::uint64_t offset, const char* data,
             std::size_t size);
    // The last bytes go to the file; where the segment was cut short only whole aligned parts do.
    // Returns how many bytes were let go of.
    std::uint64_t finish(PartialFile& file, Segments::End end);

private:
    using Clock = std::chrono::steady_clock;

    void hand_over(PartialFile& file, std::size_t size);
    void hand_over_early(BlockPool& pool, PartialFile& file);

    Block block_, spare_;
    std::uint64_t offset_ = 0;
    std::size_t size_ = 0;
    Clock::time_point since_ = {};
};

}  // namespace podctl::download

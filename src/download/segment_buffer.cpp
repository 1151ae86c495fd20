#include "segment_buffer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace podctl::download {
namespace {

using namespace std::chrono_literals;

// The most that curl delivers in one call (CURL_MAX_WRITE_SIZE of curl/curl.h).
constexpr std::size_t delivery = 16 << 10;

// A slow connection's bytes are not to wait in memory for long: a killed process loses them. But a
// disk that is behind gets no small writes on top.
constexpr std::size_t worth_writing = 64 << 10;
constexpr auto old = 30ms;
constexpr auto very_old = 2s;

}  // namespace

bool SegmentBuffer::prepare(BlockPool& pool) {
    if (!block_) block_ = spare_ ? std::move(spare_) : pool.try_take();
    if (!block_) return false;
    if (size_ == 0) since_ = Clock::now();
    if (block_.capacity() - size_ >= delivery) return true;
    if (!spare_) spare_ = pool.try_take();
    return static_cast<bool>(spare_);
}

void SegmentBuffer::add(BlockPool& pool, PartialFile& file, std::uint64_t offset, const char* data,
                        std::size_t size) {
    while (size > 0) {
        if (!block_) block_ = spare_ ? std::move(spare_) : pool.take();
        if (size_ == 0) offset_ = offset;
        const std::size_t part = std::min(size, block_.capacity() - size_);
        std::memcpy(block_.data() + size_, data, part);
        size_ += part;
        offset += part;
        data += part;
        size -= part;
        if (size_ == block_.capacity()) hand_over(file, size_);
    }
    hand_over_early(pool, file);
}

void SegmentBuffer::hand_over(PartialFile& file, std::size_t size) {
    file.write(std::move(block_), offset_, size);
    size_ = 0;
    since_ = Clock::now();
}

void SegmentBuffer::hand_over_early(BlockPool& pool, PartialFile& file) {
    if (size_ < PartialFile::alignment) return;
    const auto age = Clock::now() - since_;
    const bool due = age > very_old || (age > old && size_ >= worth_writing && file.keeps_up());
    if (!due) return;
    if (!spare_) spare_ = pool.try_take();
    if (!spare_) return;
    const auto whole = static_cast<std::size_t>(PartialFile::aligned_down(size_));
    const std::size_t rest = size_ - whole;
    std::memcpy(spare_.data(), block_.data() + whole, rest);
    hand_over(file, whole);
    block_ = std::move(spare_);
    offset_ += whole;
    size_ = rest;
}

std::uint64_t SegmentBuffer::finish(PartialFile& file, Segments::End end) {
    const auto whole = static_cast<std::size_t>(PartialFile::aligned_down(size_));
    const std::size_t kept = end == Segments::End::reached ? size_ : whole;
    const std::uint64_t lost = size_ - kept;
    if (kept > 0) hand_over(file, kept);
    block_ = {};
    spare_ = {};
    size_ = 0;
    return lost;
}

}  // namespace podctl::download

#pragma once

#include "podctl/http/http.hpp"

#include "block_pool.hpp"
#include "partial_file.hpp"
#include "range_response.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <limits>
#include <string>

namespace podctl::download {

// A stretch of a file that one request brings. Not thread-safe: its transfer's mutex guards it.
struct Segment {
    using Clock = std::chrono::steady_clock;
    static constexpr std::uint64_t unknown_end = std::numeric_limits<std::uint64_t>::max();

    std::uint64_t begin = 0;
    std::uint64_t at = 0;             // the next byte that is to come
    std::uint64_t end = unknown_end;  // where it is enough; may come nearer while it runs
    Asked::Range range = Asked::Range::no;
    std::string url = {};  // that was asked
    http::Client::StreamId stream = 0;
    // Its bytes are still another segment's until the server has shown that it sends them.
    Segment* from = nullptr;

    bool answered = false;
    AnswerKind kind = AnswerKind::refused;
    std::string error_body = {};
    bool dropped = false;  // by us: its end is no fault
    bool ended = false;
    http::Response response = {};
    std::exception_ptr failure = {};

    Clock::time_point started = Clock::now();
    Clock::time_point first_byte = {};
    Clock::time_point last_byte = Clock::now();
    std::uint64_t measured_at = 0;
    double rate = 0;  // bytes a second of late

    std::uint64_t left() const { return end == unknown_end ? unknown_end : end - at; }
    bool is_flowing() const { return first_byte != Clock::time_point{}; }
    // Seconds until it is done at its rate.
    double eta() const { return static_cast<double>(left()) / (rate > 1 ? rate : 1); }

    // Bytes gather in blocks, which go to the file when they are full, or old.
    class Buffer {
    public:
        // Makes sure that a delivery of curl finds room. False: all memory is in use.
        bool prepare(BlockPool& pool);
        // Bytes that belong at `offset`, each call where the last one ended.
        void add(BlockPool& pool, PartialFile& file, std::uint64_t offset, const char* data,
                 std::size_t size);
        // The last bytes go to the file; where the stretch was cut short only whole aligned parts
        // do. Returns how many bytes were let go of.
        enum class End { reached, cut };
        std::uint64_t finish(PartialFile& file, End end);

    private:
        void hand_over(PartialFile& file, std::size_t size);
        void hand_over_early(BlockPool& pool, PartialFile& file);

        Block block_, spare_;
        std::uint64_t offset_ = 0;
        std::size_t size_ = 0;
        Clock::time_point since_ = {};
    };
    Buffer buffer = {};
};

}  // namespace podctl::download

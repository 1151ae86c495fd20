#pragma once

#include "podctl/base/cache_room.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <thread>
#include <utility>

namespace podctl {

// Reads files that somebody is going to need into the page cache, while nobody else wants the disk
// (give_way_to_others()). A file's bytes then come from memory, where the kernel keeps them. What
// cannot be read is passed over: it costs time later, nothing else.
class ReadAhead {
public:
    // A file that does not fit into what is left of `room` is passed over, since half a file in
    // memory may push out another one.
    explicit ReadAhead(std::shared_ptr<CacheRoom> room) : room_(std::move(room)) {}
    ~ReadAhead();  // whatever is not read stays unread
    ReadAhead(const ReadAhead&) = delete;
    ReadAhead& operator=(const ReadAhead&) = delete;

    // Behind those that were given before. Returns at once; by any thread.
    void add(std::span<const std::filesystem::path> files);
    // Blocks until all that was given has been read or passed over: how many bytes were read.
    std::uint64_t wait();

private:
    void read_all(const std::stop_token& stop);
    void read(const std::filesystem::path& file, const std::stop_token& stop);

    const std::shared_ptr<CacheRoom> room_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<std::filesystem::path> waiting_;  // under mutex_, as all that follows
    bool is_reading_ = false;
    std::uint64_t done_ = 0;
    std::optional<std::jthread> thread_;  // from the first file on
};

}  // namespace podctl

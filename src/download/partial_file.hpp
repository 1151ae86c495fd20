#pragma once

#include "podctl/base/digest.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/download/download.hpp"

#include "block_pool.hpp"
#include "control_file.hpp"
#include "partial_lease.hpp"
#include "range_set.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace podctl::download {

// The file that a download fills, in any order. One thread writes; another follows the contiguous
// front with the digest, from memory where the bytes are still there, else from the page cache.
class PartialFile {
public:
    // Offsets and sizes that may bypass the page cache (open(2), O_DIRECT).
    static constexpr std::size_t alignment = 4096;
    static constexpr std::uint64_t aligned_down(std::uint64_t bytes) {
        return bytes / alignment * alignment;
    }

    // Opens or creates it, and keeps others off it. Throws Error{io}, Error{locked}.
    PartialFile(std::filesystem::path path, BlockPool& pool, const std::stop_token& stop = {});
    ~PartialFile();
    PartialFile(const PartialFile&) = delete;
    PartialFile& operator=(const PartialFile&) = delete;

    // What the file's size is on the disk, before anything was taken over.
    std::uint64_t found_size() const { return found_size_; }
    // The control file's ranges hold bytes of the file that is wanted. Cut to what can be gone on
    // from: whole aligned parts that are really there.
    void take_over(const RangeSet& have);
    // Drops all bytes. None may be on their way.
    void restart();
    // Kept in the control file with the ranges that are written.
    void describe(const Validators& validators);
    // Throws Error{io} when the file system has no room for the rest of `total` bytes.
    void reserve(std::uint64_t total);

    // How the bytes come: in order, or at several places at once.
    enum class Order { sequential, scattered };
    void expect(Order order) { order_ = order; }

    // The page cache has room for the file: writes go through it, so that who reads the file next
    // finds it in memory.
    void keep_in_cache() { keeps_in_cache_ = true; }

    // Takes the first `size` bytes of the block to `offset`. Never waits. What the writing thread
    // met is thrown by check(), flush() and finish().
    void write(Block block, std::uint64_t offset, std::size_t size);
    void check();
    // Returns when all that was given is written and recorded.
    void flush();
    // Nothing waits for the disk.
    bool keeps_up();
    // What is written.
    RangeSet have();
    // Waits until all `size` bytes are written, on the disk and hashed: the SHA-256 of the file.
    // Throws Error{interrupted}.
    std::string finish(std::uint64_t size, std::stop_token stop);

    FileIdentity identity() const;
    // Device and inode agree: writing to `path`'s own file would destroy it.
    bool is_same_file(int fd) const;

private:
    using Clock = std::chrono::steady_clock;

    struct Filled {
        Block block;
        std::uint64_t offset = 0;
        std::size_t size = 0;

        std::uint64_t end() const { return offset + size; }
    };
    using Run = std::vector<std::shared_ptr<Filled>>;
    using ByOffset = std::map<std::uint64_t, std::shared_ptr<Filled>>;

    void write_blocks(const std::stop_token& stop);
    bool wait_for_work(const std::stop_token& stop);
    Run next_run();  // under mutex_
    void write_run(const Run& run);
    void set_direct(bool direct);
    void write_at(const Run& run);
    void record();
    void sync_now_and_then();

    void hash_front(const std::stop_token& stop);
    std::shared_ptr<Filled> block_at_front();  // under mutex_
    void hash_from_file(std::uint64_t end, std::vector<char>& buffer);

    void fail(std::exception_ptr failure);
    void rethrow_failure();  // under mutex_

    const std::filesystem::path path_;
    Fd fd_;
    std::unique_ptr<PartialLease> lease_;  // where the file's lock may be one machine's only
    Fd read_fd_;
    const std::uint64_t found_size_;
    const bool direct_pays_;
    std::atomic<Order> order_ = Order::sequential;
    std::atomic<bool> keeps_in_cache_ = false;

    // The writing thread only.
    bool direct_ = false;
    bool direct_refused_ = false;
    ControlFile control_;
    Clock::time_point last_sync_ = Clock::now();

    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::optional<Validators> validators_;  // under mutex_, as all that follows
    bool validators_changed_ = false;
    ByOffset unwritten_;
    ByOffset unhashed_;  // contiguous with the digest's front: they stay in memory for it
    Run writing_;
    RangeSet written_;
    RangeSet unrecorded_;
    Clock::time_point next_record_ = {};
    std::uint64_t hashed_ = 0;
    std::uint64_t hashing_until_ = 0;
    Sha256 digest_;
    unsigned flushes_ = 0;  // callers that wait for everything to be recorded
    std::exception_ptr failure_;

    std::jthread writer_;
    std::jthread hasher_;
};

}  // namespace podctl::download

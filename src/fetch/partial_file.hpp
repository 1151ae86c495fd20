#pragma once

#include "podctl/base/digest.hpp"
#include "podctl/base/fd.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace podctl::fetch {

// The file that a download grows. append() copies into blocks of 4 MiB, aligned in the file, which
// one thread writes and hashes in order: network volumes are a hundred times slower with small
// writes.
class PartialFile {
public:
    // Opens or creates it, and holds a lock on it. Throws Error{io}, Error{locked}.
    explicit PartialFile(std::filesystem::path path);
    ~PartialFile();
    PartialFile(const PartialFile&) = delete;
    PartialFile& operator=(const PartialFile&) = delete;

    // Bytes that were there or appended since.
    std::uint64_t size() const { return size_; }
    // Reads back what is there, so that the digest covers it.
    void rehash(std::stop_token stop);
    // Drops all bytes.
    void restart();
    // Throws Error{io} when the file system has no room for the rest of `total` bytes.
    void reserve(std::uint64_t total);
    // Whether append() would take a block without waiting for the disk.
    bool has_room();
    // Throws what the writing thread met.
    void append(const char* data, std::size_t size);
    // Returns when all appended bytes are written. Throws as append().
    void flush();
    // Flushes, syncs, and gives the SHA-256 of the whole file; no bytes may follow.
    std::string finish();

    // Device and inode agree: appending to `path`'s own file would destroy it.
    bool is_same_file(int fd) const;

private:
    void write_blocks(std::stop_token stop);
    void hand_over();
    void rethrow_failure();

    std::filesystem::path path_;
    Fd fd_;
    std::uint64_t size_ = 0;
    Sha256 digest_;
    std::string block_;

    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<std::string> queue_;  // under mutex_
    std::deque<std::string> spare_;  // under mutex_; written blocks, to be filled again
    bool writing_ = false;           // under mutex_
    std::exception_ptr failure_;     // under mutex_
    std::jthread writer_;
};

}  // namespace podctl::fetch

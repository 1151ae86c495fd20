#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace podctl::download {

class BlockPool;

// Memory of one block, which goes back to its pool. Aligned as O_DIRECT wants it.
class Block {
public:
    Block() = default;
    Block(BlockPool& pool, char* data) : pool_(&pool), data_(data) {}
    Block(Block&& other) noexcept;
    Block& operator=(Block&& other) noexcept;
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block();

    explicit operator bool() const { return data_ != nullptr; }
    char* data() const { return data_; }
    std::size_t capacity() const;

private:
    BlockPool* pool_ = nullptr;
    char* data_ = nullptr;
};

// The memory that all downloads of a process share, so that it does not grow with their number.
// Whoever has bytes to put somewhere takes a block; disk and hash give it back. Thread-safe.
class BlockPool {
public:
    BlockPool(std::size_t block_size, std::size_t count);
    ~BlockPool();
    BlockPool(const BlockPool&) = delete;
    BlockPool& operator=(const BlockPool&) = delete;

    // Empty: all are in use.
    Block try_take();
    // Waits for one.
    Block take();
    std::size_t block_size() const { return block_size_; }

private:
    friend class Block;
    void give_back(char* data);

    const std::size_t block_size_;
    const std::size_t arena_size_;
    char* arena_ = nullptr;
    std::mutex mutex_;
    std::condition_variable returned_;
    std::vector<char*> free_;  // under mutex_; the last one used is the first one out: it is warm
};

}  // namespace podctl::download

#include "block_pool.hpp"

#include <sys/mman.h>

#include <new>
#include <utility>

namespace podctl::download {

Block::Block(Block&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)), data_(std::exchange(other.data_, nullptr)) {}

Block& Block::operator=(Block&& other) noexcept {
    if (this != &other) {
        if (data_) pool_->give_back(data_);
        pool_ = std::exchange(other.pool_, nullptr);
        data_ = std::exchange(other.data_, nullptr);
    }
    return *this;
}

Block::~Block() {
    if (data_) pool_->give_back(data_);
}

std::size_t Block::capacity() const {
    return data_ ? pool_->block_size() : 0;
}

// Pages come into being when they are first used: a small download costs a small part of it.
BlockPool::BlockPool(std::size_t block_size, std::size_t count)
    : block_size_(block_size), arena_size_(block_size * count) {
    void* memory = ::mmap(nullptr, arena_size_, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc{};
    arena_ = static_cast<char*>(memory);
    for (std::size_t i = count; i-- > 0;)
        free_.push_back(arena_ + i * block_size_);
}

BlockPool::~BlockPool() {
    ::munmap(arena_, arena_size_);
}

Block BlockPool::try_take() {
    const std::scoped_lock lock(mutex_);
    if (free_.empty()) return {};
    char* data = free_.back();
    free_.pop_back();
    return {*this, data};
}

Block BlockPool::take() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [&] { return !free_.empty(); });
    char* data = free_.back();
    free_.pop_back();
    return {*this, data};
}

void BlockPool::give_back(char* data) {
    {
        const std::scoped_lock lock(mutex_);
        free_.push_back(data);
    }
    returned_.notify_one();
}

}  // namespace podctl::download

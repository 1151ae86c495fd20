#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string_view>
#include <utility>
#include <vector>

namespace podctl::python {

// Between threads that read, pack and write: so many at a time, so that memory is bounded.
template <class T>
class BoundedQueue {
public:
    explicit BoundedQueue(std::size_t most) : most_(most) {}

    // Waits for room. False: nobody takes it any more, or a stop is requested.
    bool push(T one, const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        const bool woken =
            changed_.wait(lock, stop, [this] { return waiting_.size() < most_ || is_closed_; });
        if (!woken || is_closed_) return false;
        waiting_.push_back(std::move(one));
        lock.unlock();
        changed_.notify_all();
        return true;
    }

    // nullopt: no more will come, or a stop is requested.
    std::optional<T> pop(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        const bool woken =
            changed_.wait(lock, stop, [this] { return !waiting_.empty() || is_closed_; });
        if (!woken || stop.stop_requested() || waiting_.empty()) return std::nullopt;
        std::optional<T> one{std::move(waiting_.front())};
        waiting_.pop_front();
        lock.unlock();
        changed_.notify_all();
        return one;
    }

    // No more will come, or be taken: either side may say so.
    void close() {
        const std::lock_guard lock(mutex_);
        is_closed_ = true;
        changed_.notify_all();
    }

private:
    const std::size_t most_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<T> waiting_;   // under mutex_
    bool is_closed_ = false;  // under mutex_
};

// Bytes on their way from one thread to another.
struct Chunk {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;

    std::string_view view() const { return {bytes.get(), size}; }
};

inline constexpr std::size_t chunk_size = 1u << 20;

// Its bytes are not cleared: they are about to be written.
inline Chunk empty_chunk() {
    Chunk chunk;
    chunk.bytes = std::make_unique_for_overwrite<char[]>(chunk_size);
    return chunk;
}

// Chunks that were used go round: to have new memory for each costs about as much as to fill it.
class ChunkPool {
public:
    Chunk take() {
        const std::lock_guard lock(mutex_);
        if (free_.empty()) return empty_chunk();
        Chunk chunk = std::move(free_.back());
        free_.pop_back();
        return chunk;
    }
    void give_back(Chunk chunk) {
        chunk.size = 0;
        const std::lock_guard lock(mutex_);
        free_.push_back(std::move(chunk));
    }

private:
    std::mutex mutex_;
    std::vector<Chunk> free_;  // under mutex_
};

// What threads that work at one thing have in common: the first failure of one ends all.
class Together {
public:
    explicit Together(std::stop_token outer)
        : outer_(std::move(outer), [this] { stop_.request_stop(); }) {}

    std::stop_token token() const { return stop_.get_token(); }
    ChunkPool& chunks() { return chunks_; }

    void fail(std::exception_ptr failure) {
        {
            const std::lock_guard lock(mutex_);
            if (!first_) first_ = std::move(failure);
        }
        stop_.request_stop();
    }

    // Throws the first failure, if there was one. To be called when the threads have ended.
    void rethrow() const {
        const std::lock_guard lock(mutex_);
        if (first_) std::rethrow_exception(first_);
    }

private:
    ChunkPool chunks_;
    mutable std::mutex mutex_;
    std::exception_ptr first_;  // under mutex_
    std::stop_source stop_;
    std::stop_callback<std::function<void()>> outer_;
};

}  // namespace podctl::python

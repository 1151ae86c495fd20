#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

namespace podctl::download {

// How much of the page cache the files of all downloads of a process may take. What is read soon
// after it was downloaded, as models are, is read from there; what does not fit would only evict
// other pages, and itself before it is read. Thread-safe.
class CacheRoom {
public:
    // `available`: the bytes that the machine can give now, asked once, when it matters.
    explicit CacheRoom(std::function<std::uint64_t()> available);

    // Whether a file of that size goes there as a whole. Half of what was available stays for those
    // who are to use the files. What was taken is never given back: the file stays in the cache.
    bool take(std::uint64_t bytes);

private:
    const std::function<std::uint64_t()> available_;
    std::mutex mutex_;
    std::optional<std::uint64_t> left_;  // under mutex_
};

}  // namespace podctl::download

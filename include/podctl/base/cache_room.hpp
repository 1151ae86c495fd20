#pragma once

#include "podctl/base/file_identity.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

namespace podctl {

// How much of the page cache a process may fill with files that are going to be read: those that it
// writes and those that it reads ahead, out of one budget. What does not fit would only evict other
// pages, and itself before it is read. Thread-safe.
class CacheRoom {
public:
    // `available`: the bytes that the machine can give now, asked once, when it matters.
    explicit CacheRoom(std::function<std::uint64_t()> available);

    // Whether a file of that size goes there as a whole. Half of what was available stays for those
    // who are to use the files. What was taken is never given back, since the file stays in the
    // cache; so one that is asked for again, under whatever name, takes no more room.
    bool take(FileIdentity file, std::uint64_t bytes);

private:
    const std::function<std::uint64_t()> available_;
    std::mutex mutex_;
    std::optional<std::uint64_t> left_;           // under mutex_, as what follows
    std::map<FileIdentity, std::uint64_t> held_;  // bytes
};

}  // namespace podctl

#pragma once

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/python/snapshot.hpp"

#include "snapshot_queue.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

namespace podctl::python {

// A part that is written: under a name of its own until it is whole, on a thread of its own, so
// that a slow volume does not hold up those who read and compress.
class PartWriter {
public:
    // `together` outlives it.
    PartWriter(const std::filesystem::path& folder, Together& together);
    PartWriter(const PartWriter&) = delete;
    PartWriter& operator=(const PartWriter&) = delete;
    ~PartWriter();

    // False: the write has failed, or a stop is requested; `together` knows.
    bool write(std::string_view bytes);
    // What was written is on the disk. Throws Error{io}.
    void finish(Snapshot::Part& part);
    // Under its name from now on.
    void publish(const Snapshot::Part& part);

private:
    bool pass_on();
    void work();

    const std::filesystem::path folder_;
    std::filesystem::path path_;
    Together& together_;
    Fd file_;
    Chunk gathered_ = empty_chunk();
    Sha256 digest_;
    std::uint64_t written_ = 0;
    BoundedQueue<Chunk> queue_{16};
    std::jthread thread_;
};

// A part that is read, hashed and held to its manifest, on a thread of its own, so that the bytes
// to come are on their way while those before are unpacked.
class PartReader {
public:
    // `on_bytes` is told how many have come. What is not as it should be fails `together`, which
    // outlives it.
    PartReader(const std::filesystem::path& path, const Snapshot::Part& part, Together& together,
               std::function<void(std::uint64_t)> on_bytes);
    PartReader(const PartReader&) = delete;
    PartReader& operator=(const PartReader&) = delete;
    ~PartReader();

    // Good until the next call; empty: no more will come, or `together` has failed.
    std::string_view next();
    // Reads what is left, so that all of it has been looked at.
    void drain();

private:
    void work();

    const std::filesystem::path path_;
    const Snapshot::Part& part_;
    Together& together_;
    const std::function<void(std::uint64_t)> on_bytes_;
    Chunk current_;
    std::size_t given_ = 0;
    BoundedQueue<Chunk> queue_{16};
    std::jthread thread_;
};

// Whether a file of this name is a part that is being written, or was when its packer was killed.
bool is_unfinished_part(const std::string& name);
// Whether its packer is known to be gone: it ran here, and runs no more.
bool is_abandoned_part(const std::string& name);

// An archive that is not what its manifest promised.
Error unusable_part(const std::filesystem::path& path, const std::string& what);

}  // namespace podctl::python

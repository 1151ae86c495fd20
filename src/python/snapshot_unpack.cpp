#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/remove_tree.hpp"
#include "podctl/base/sync.hpp"
#include "podctl/base/thread.hpp"
#include "podctl/base/units.hpp"
#include "podctl/python/python.hpp"
#include "podctl/python/snapshot.hpp"

#include "environment_mark.hpp"
#include "snapshot_unpacker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

// An unfinished environment, of which a kill leaves nothing that passes for finished or for
// somebody else's.
void prepare(const fs::path& generation) {
    std::error_code failed;
    remove_abandoned_mark(generation);
    const auto type = fs::symlink_status(generation, failed).type();
    const bool is_free = type == fs::file_type::not_found ||
                         (type == fs::file_type::directory && fs::is_empty(generation, failed));
    if (finished_fingerprint(generation) || (!is_free && !is_ours(generation)))
        throw Error{ErrorKind::conflict,
                    fmt::format("{} is there already, so the environment's snapshot cannot be "
                                "unpacked there",
                                generation.string()),
                    "move it away, or set python.path to another folder"};
    create_folders(generation);
    write_mark(generation, {});
    empty_environment(generation);
}

// The mark goes last, for the same reason.
void discard(const fs::path& generation) noexcept {
    try {
        empty_environment(generation);
        remove_tree(generation);
    } catch (const std::exception&) {
        // The error that is on its way says more, and what is left is not finished.
    }
}

class SnapshotUnpacking {
public:
    SnapshotUnpacking(const Snapshot& snapshot, const fs::path& folder,
                      const SnapshotProgress& on_progress, std::stop_token stop)
        : snapshot_(snapshot),
          on_progress_(on_progress),
          total_(snapshot.packed()),
          together_(std::move(stop)) {
        require_room();
        const unsigned umask = current_umask();
        for (const auto& part : snapshot_.parts)
            parts_.push_back(std::make_unique<PartUnpacker>(
                PartUnpacker::Settings{.archive = folder / part.file(),
                                       .generation = snapshot_.generation,
                                       .umask = umask,
                                       .on_bytes = [this](std::uint64_t size) { count(size); }},
                part, together_));
    }

    void run() {
        {
            std::vector<std::jthread> threads;
            for (const auto& part : parts_)
                threads.push_back(start_thread(
                    [one = part.get()](const std::stop_token&) { one->run(); },
                    [this](const std::exception_ptr& failure) { together_.fail(failure); }));
        }
        together_.rethrow();
        for (const auto& part : parts_)
            part->finish_folders();
    }

private:
    // What a lying manifest says does not fill the disk before it is found out.
    void require_room() const {
        std::uint64_t needed = 0;
        for (const auto& part : snapshot_.parts)
            needed += part.unpacked;
        const auto room = free_space(snapshot_.generation);
        if (needed <= room) return;
        throw Error{ErrorKind::io,
                    fmt::format("{}: its snapshot unpacks to {}, and {} are free",
                                snapshot_.generation.string(), format_bytes({needed}),
                                format_bytes({room})),
                    "give the container a larger disk, or set python.path to another one"};
    }

    void count(std::uint64_t size) {
        const std::lock_guard lock(mutex_);
        done_ += size;
        if (on_progress_) on_progress_(done_, total_);
    }

    const Snapshot& snapshot_;
    const SnapshotProgress& on_progress_;
    const std::uint64_t total_;
    std::mutex mutex_;
    std::uint64_t done_ = 0;  // under mutex_
    Together together_;
    std::vector<std::unique_ptr<PartUnpacker>> parts_;
};

}  // namespace

void unpack_snapshot(const Snapshot& snapshot, const fs::path& folder,
                     const SnapshotProgress& on_progress, std::stop_token stop) {
    const fs::path& generation = snapshot.generation;
    prepare(generation);
    try {
        SnapshotUnpacking{snapshot, folder, on_progress, stop}.run();
        if (!file_stamp(environment_python(generation)))
            throw Error{ErrorKind::integrity,
                        fmt::format("{}: the environment in the snapshot has no interpreter that "
                                    "is here",
                                    generation.string()),
                        "the environment is built anew by its installer"};
        sync_file_system(generation);
        if (stop.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
        mark_finished(generation, snapshot.fingerprint);
    } catch (...) {
        discard(generation);
        throw;
    }
}

}  // namespace podctl::python

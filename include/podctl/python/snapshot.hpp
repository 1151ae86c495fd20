#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

// Environments as files of a volume. A pod that starts on a fresh container disk has its
// environment from one or two archives there, without a resolver, an index or an installer, and
// without the thousands of small files that a network volume is slow with.
//
// A snapshot is a manifest, <key>.json, and one archive a part, <sha256>.tar.zst, in one folder. It
// is good at the very path where it was taken, since the scripts of an environment name it.
namespace podctl::python {

struct Snapshot {
    struct Part {
        std::string sha256;          // of the archive, which is named by it
        std::uint64_t packed = 0;    // bytes of the archive
        std::uint64_t unpacked = 0;  // bytes of the files in it
        std::uint64_t members = 0;   // files, folders and links
        // What another snapshot's part has to have in common with this one to be used in its place;
        // empty: the part is of this snapshot alone.
        std::string shared_by = {};

        std::string file() const { return sha256 + ".tar.zst"; }
        friend bool operator==(const Part&, const Part&) = default;
    };

    std::string key;                   // digest of what it is valid for: the next three
    std::string fingerprint;           // finished_fingerprint() of the generation
    std::filesystem::path generation;  // where it was, and has to be again
    std::string platform;              // snapshot_platform()
    std::vector<Part> parts = {};      // all but torch, and torch where the environment has its own
    std::string note = {};             // the caller's own, UTF-8
    std::chrono::system_clock::time_point made = {};  // whole milliseconds

    std::uint64_t packed() const;
};

// What compiled packages depend on besides their own versions: "x86_64, glibc 2.36, Python 3.11.7".
std::string snapshot_platform(std::string_view python_version);

struct PackRequest {
    std::filesystem::path generation;
    std::string fingerprint;
    std::string platform;
    std::string note = {};
    std::filesystem::path folder;  // where snapshots are kept
    unsigned threads = 0;          // that compress; 0: one for each core
};

// Packs a finished environment, which may be in use meanwhile: a file that goes is passed over.
// torch and what it brings are a part of their own, which is packed once for all snapshots that
// have the same. Several processes and machines may pack into one folder; the manifest comes last,
// so that a kill leaves nothing that counts. Throws Error{conflict} when the environment is not
// finished with this fingerprint, before or after, Error{io}, Error{interrupted}.
Snapshot pack_environment(const PackRequest& request, std::stop_token stop);

// Newest first. What cannot be read, is not a manifest or is not this user's is passed over and
// said to `on_passed_over`. No folder there is fine. Throws Error{io}.
std::vector<Snapshot> find_snapshots(
    const std::filesystem::path& folder,
    const std::function<void(const std::string&)>& on_passed_over = {});

// Bytes of the archives; called by one thread at a time, which need not be the caller's.
using SnapshotProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Makes the environment at snapshot.generation, whose path the caller has found to be the right
// one, and marks it finished once its bytes are on the disk. An unfinished one that stands there is
// replaced. An archive is read once, and held to what the manifest says as its bytes come. Throws
// Error{conflict} when a finished environment or something that is not podctl's stands there;
// Error{integrity} for an archive that is gone, torn, changed or no environment's, Error{io},
// Error{interrupted}: what was made so far is removed.
void unpack_snapshot(const Snapshot& snapshot, const std::filesystem::path& folder,
                     const SnapshotProgress& on_progress, std::stop_token stop);

// Removes all but the newest `keep` snapshots of each group (which those of one name are), then the
// parts that no manifest names and the temporary files of packers that were killed. What another
// pod may be writing just now stays: of other machines, what has changed within an hour. Throws
// Error{io}.
void prune_snapshots(const std::filesystem::path& folder, std::size_t keep,
                     const std::function<std::string(const Snapshot&)>& group_of = {});

// Whether the archives of a snapshot are there in the size that its manifest says: a cheap look.
bool has_its_parts(const Snapshot& snapshot, const std::filesystem::path& folder);

}  // namespace podctl::python

#pragma once

#include "podctl/python/snapshot.hpp"

#include "snapshot_folder.hpp"
#include "snapshot_member_writer.hpp"
#include "snapshot_part_file.hpp"

#include <archive.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace podctl::python {

struct ReadArchiveDeleter {
    void operator()(archive* handle) const { archive_read_free(handle); }
};

// Unpacks one part. All that libarchive takes comes through a callback, which looks at what was
// inflated so far: inside its calls it inflates as much as an archive makes it.
class PartUnpacker {
public:
    struct Settings {
        std::filesystem::path archive;
        std::filesystem::path generation;
        unsigned umask = 0;
        std::function<void(std::uint64_t)> on_bytes;
    };
    // Both outlive it.
    PartUnpacker(Settings settings, const Snapshot::Part& part, Together& together);

    // Throws Error{integrity}, Error{io}, Error{interrupted}.
    void run();
    // Folders get their permissions and times when nothing more is made in them, by any part.
    void finish_folders();

private:
    static la_ssize_t on_read(archive* handle, void* self, const void** bytes);

    void open();
    archive_entry* next();
    void unpack(archive_entry* entry);
    void unpack_file(archive_entry* entry, const std::string& name, const MemberStatus& status);
    // Of the file that next() has come to.
    std::optional<std::string_view> block(std::uint64_t& at);
    void check(int result) const;
    void check_whole() const;
    std::uint64_t inflated() const;
    [[noreturn]] void refuse(const std::string& what) const;

    const Settings settings_;
    const Snapshot::Part& part_;
    Together& together_;
    MemberFolder folder_;
    PartReader reader_;
    MemberWriter writer_;
    std::vector<std::pair<std::string, MemberStatus>> folders_;
    std::uint64_t bytes_ = 0;
    std::uint64_t members_ = 0;
    std::optional<std::uint64_t> header_from_ = {};  // while a header is read
    std::unique_ptr<archive, ReadArchiveDeleter> handle_;
};

}  // namespace podctl::python

#pragma once

#include "podctl/base/fd.hpp"
#include "podctl/python/snapshot.hpp"

#include "snapshot_part_file.hpp"
#include "snapshot_queue.hpp"
#include "snapshot_tree.hpp"

#include <archive.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct archive_entry;
struct stat;

namespace podctl::python {

struct WriteArchiveDeleter {
    void operator()(archive* handle) const { archive_write_free(handle); }
};
struct EntryDeleter {
    void operator()(archive_entry* entry) const;
};

// A tar of an environment's files, compressed by several threads where the library can.
class ArchiveWriter {
public:
    // Both outlive it.
    ArchiveWriter(PartWriter& file, Together& together, int level, unsigned threads);
    ArchiveWriter(const ArchiveWriter&) = delete;
    ArchiveWriter& operator=(const ArchiveWriter&) = delete;
    ~ArchiveWriter();

    // Throws Error{io}, Error{interrupted}.
    void add(const std::filesystem::path& environment, const std::vector<TreeMember>& members);
    // What was packed.
    void finish(Snapshot::Part& part);

private:
    static la_ssize_t on_write(archive*, void* self, const void* bytes, std::size_t size);

    void add_one(const TreeMember& member);
    void add_file(const TreeMember& member);
    void add_link(const TreeMember& member, const struct stat& status);
    void add_content(int file, const std::string& name, std::uint64_t size);
    void begin(const std::string& name, const struct stat& status, std::uint64_t size);
    void write(std::string_view bytes);
    void check(int result) const;

    PartWriter& file_;
    Together& together_;
    std::filesystem::path environment_;
    Fd root_;
    Chunk buffer_ = empty_chunk();
    std::uint64_t bytes_ = 0;
    std::uint64_t members_ = 0;
    std::uint64_t left_ = 0;     // of the file that is being packed
    bool is_abandoned_ = false;  // nothing is written any more
    std::unique_ptr<archive_entry, EntryDeleter> entry_;
    std::unique_ptr<archive, WriteArchiveDeleter> handle_;
};

}  // namespace podctl::python

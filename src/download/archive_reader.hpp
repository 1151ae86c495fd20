#pragma once

#include "file_bytes.hpp"
#include "zip_directory.hpp"

#include <archive.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

struct archive_entry;

namespace podctl::download {

struct ArchiveDeleter {
    void operator()(archive* handle) const { archive_read_free(handle); }
};
using ArchiveHandle = std::unique_ptr<archive, ArchiveDeleter>;

enum class ArchiveKind {
    zip,            // by its directory alone, as all who load a model read it
    tar,            // packed or not
    tar_or_stream,  // and a single file that was packed, as one entry
};

// A stranger's archive may fill a volume with what fits into an e-mail. Deflate packs zeros 1:1000;
// models hardly at all, text 1:10 to 1:50.
constexpr std::uint64_t most_archive_ratio = 200;

// How many bytes may come out of an archive of that size, where so many have room.
constexpr std::uint64_t most_unpacked(std::uint64_t archive, std::uint64_t room) {
    constexpr std::uint64_t always_allowed = 64u << 20;
    return std::max(always_allowed, most_archive_ratio * std::min(archive, room));
}

struct ArchiveLimits {
    std::uint64_t inflated = 0;  // bytes of a packed tar
    std::size_t entries = 0;
};

// A reader of archives that are packed with what this build of libarchive unpacks itself: some of
// its filters start a program of the machine, for a file that a stranger gave. All that libarchive
// takes comes through callbacks, which look at the stop token and at what was inflated so far: it
// inflates inside its calls as much as an archive makes it.
class ArchiveReader {
public:
    // `file` is read by its offsets, and outlives the reader.
    ArchiveReader(const FileBytes& file, ArchiveKind kind, const ArchiveLimits& limits,
                  std::stop_token stop);
    // A zip, which has been looked at with zip_fault(): it has to have these members.
    ArchiveReader(const FileBytes& file, const ZipDirectory& directory, const ArchiveLimits& limits,
                  std::stop_token stop);

    // Throws Error{interrupted | io}; what is wrong with the archive is told by fault().
    bool open();

    // nullptr: the end, or a fault.
    archive_entry* next();
    // Of the entry that next() gave, in UTF-8; empty where it has none.
    std::string name() const;

    struct Block {
        std::string_view bytes = {};
        std::uint64_t offset = 0;  // in the entry; a sparse file leaves some out
    };
    // Of the entry that next() gave. nullopt: its end, or a fault.
    std::optional<Block> read();

    // Why it is refused; empty: nothing against it so far.
    const std::string& fault() const { return fault_; }
    bool is_raw() const;
    // Of a tar that is not packed: where it has been read to.
    std::uint64_t position() const;

private:
    static la_ssize_t on_read(archive* handle, void* self, const void** bytes);
    static la_int64_t on_seek(archive* handle, void* self, la_int64_t offset, int whence);
    la_ssize_t give(const void** bytes);
    bool may_go_on();
    void take(int result);
    void check_entry(archive_entry* entry);
    void call_roll(archive_entry* entry);

    const FileBytes& file_;
    const ArchiveKind kind_;
    const ArchiveLimits limits_;
    const std::stop_token stop_;
    std::vector<char> buffer_;
    std::string_view rest_;  // of the buffer, not given yet
    std::uint64_t at_ = 0;   // in the file
    bool is_packed_ = false;
    std::optional<std::uint64_t> header_from_ = {};  // while a header is read
    std::size_t entries_ = 0;
    int read_error_ = 0;
    std::optional<ZipRollCall> roll_call_ = {};
    const ZipMember* member_ = nullptr;  // of a zip, the one that next() gave
    archive_entry* entry_ = nullptr;
    std::string fault_;
    ArchiveHandle handle_;
};

// A name that is UTF-8 as it is; any other as a zip's is read without a word on its encoding, in
// code page 437 (APPNOTE.TXT, appendix D; Python's zipfile does the same).
std::string utf8_name(std::string name);

}  // namespace podctl::download

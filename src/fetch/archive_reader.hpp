#pragma once

#include <archive.h>

#include <memory>
#include <string>

namespace podctl::fetch {

struct ArchiveDeleter {
    void operator()(archive* handle) const { archive_read_free(handle); }
};
using ArchiveHandle = std::unique_ptr<archive, ArchiveDeleter>;

enum class ArchiveKind {
    zip_or_tar,
    any_stream,  // and a single file that was compressed, as one entry
};

// A reader of zip and tar archives that are packed with what this build of libarchive unpacks
// itself: some of its filters start a program of the machine, for a file that a stranger gave.
// nullptr: it is no such archive, and `why` tells.
ArchiveHandle open_archive(int fd, ArchiveKind kind, std::string& why);

}  // namespace podctl::fetch

#include "archive_reader.hpp"

#include <new>
#include <vector>

namespace podctl::fetch {
namespace {

constexpr std::size_t read_block = 1 << 20;

using Support = int (*)(archive*);

ArchiveHandle fresh() {
    ArchiveHandle handle{archive_read_new()};
    if (!handle) throw std::bad_alloc{};
    return handle;
}

// ARCHIVE_WARN says that a program of the machine would do it.
const std::vector<Support>& own_filters() {
    static const std::vector<Support> found = [] {
        std::vector<Support> own;
        for (const Support filter :
             {archive_read_support_filter_gzip, archive_read_support_filter_bzip2,
              archive_read_support_filter_xz, archive_read_support_filter_lzma,
              archive_read_support_filter_zstd, archive_read_support_filter_lz4,
              archive_read_support_filter_compress})
            if (filter(fresh().get()) == ARCHIVE_OK) own.push_back(filter);
        return own;
    }();
    return found;
}

}  // namespace

ArchiveHandle open_archive(int fd, ArchiveKind kind, std::string& why) {
    auto handle = fresh();
    for (const Support filter : own_filters())
        filter(handle.get());
    archive_read_support_format_tar(handle.get());
    archive_read_support_format_zip(handle.get());
    if (kind == ArchiveKind::any_stream) archive_read_support_format_raw(handle.get());
    if (archive_read_open_fd(handle.get(), fd, read_block) == ARCHIVE_OK) return handle;
    const char* text = archive_error_string(handle.get());
    why = text ? text : "unknown";
    return nullptr;
}

}  // namespace podctl::fetch

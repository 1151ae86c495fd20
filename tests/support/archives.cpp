#include "support/archives.hpp"

#include <archive.h>
#include <archive_entry.h>

namespace podctl::test {
namespace {

void add(archive* out, const ArchiveEntry& given) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, given.name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<la_int64_t>(given.data.size()));
    archive_write_header(out, entry);
    archive_write_data(out, given.data.data(), given.data.size());
    archive_entry_free(entry);
}

}  // namespace

void write_archive(const std::filesystem::path& path, ArchiveFormat format,
                   const std::vector<ArchiveEntry>& entries) {
    archive* out = archive_write_new();
    if (format == ArchiveFormat::zip)
        archive_write_set_format_zip(out);
    else
        archive_write_set_format_pax_restricted(out);
    if (format == ArchiveFormat::tar_gz) archive_write_add_filter_gzip(out);
    archive_write_open_filename(out, path.c_str());
    for (const auto& entry : entries)
        add(out, entry);
    archive_write_free(out);
}

namespace {

std::string packed_with(int (*filter)(archive*), const std::string& bytes) {
    std::string packed(bytes.size() + 4096, '\0');
    std::size_t used = 0;
    archive* out = archive_write_new();
    archive_write_set_format_raw(out);
    filter(out);
    archive_write_set_bytes_in_last_block(out, 1);
    archive_write_open_memory(out, packed.data(), packed.size(), &used);
    add(out, {"data", bytes});
    archive_write_free(out);
    packed.resize(used);
    return packed;
}

}  // namespace

std::string gzip(const std::string& bytes) {
    return packed_with(archive_write_add_filter_gzip, bytes);
}

std::string zstd(const std::string& bytes) {
    return packed_with(archive_write_add_filter_zstd, bytes);
}

}  // namespace podctl::test

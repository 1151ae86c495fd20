#include "snapshot_unpacker.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/shorten.hpp"

#include <archive_entry.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <string_view>

namespace podctl::python {

namespace {

// A name and a link's target of 4,096 bytes each, and what tar needs around them.
constexpr std::uint64_t most_headers = 16u << 10;
constexpr std::uint64_t tar_end = 1u << 20;

std::string bytes_of(const char* raw, const char* utf8) {
    return raw ? raw : utf8 ? utf8 : "";
}

}  // namespace

PartUnpacker::PartUnpacker(Settings settings, const Snapshot::Part& part, Together& together)
    : settings_(std::move(settings)),
      part_(part),
      together_(together),
      folder_(settings_.generation, settings_.archive, settings_.umask),
      reader_(settings_.archive, part, together, settings_.on_bytes),
      writer_(MemberFolder{settings_.generation, settings_.archive, settings_.umask}, together),
      handle_(archive_read_new()) {
    if (!handle_) throw std::bad_alloc{};
}

void PartUnpacker::refuse(const std::string& what) const {
    throw unusable_part(settings_.archive, what);
}

std::uint64_t PartUnpacker::inflated() const {
    return static_cast<std::uint64_t>(
        std::max<la_int64_t>(0, archive_filter_bytes(handle_.get(), 0)));
}

la_ssize_t PartUnpacker::on_read(archive* handle, void* self, const void** bytes) {
    auto& unpacker = *static_cast<PartUnpacker*>(self);
    const auto promised = unpacker.part_.unpacked + unpacker.part_.members * most_headers + tar_end;
    const auto inflated = unpacker.inflated();
    const bool too_much =
        inflated > promised ||
        (unpacker.header_from_ && inflated - *unpacker.header_from_ > most_headers + tar_end);
    if (too_much) {
        archive_set_error(handle, EFBIG, "unpacks to more than its manifest says");
        return -1;
    }
    const std::string_view given = unpacker.reader_.next();
    *bytes = given.data();
    return static_cast<la_ssize_t>(given.size());
}

void PartUnpacker::check(int result) const {
    // ARCHIVE_WARN is a name that the C locale cannot say; its bytes are there all the same.
    if (result == ARCHIVE_OK || result == ARCHIVE_WARN || result == ARCHIVE_EOF) return;
    // A reader that has failed looks like the end of the archive; its word comes first.
    if (together_.token().stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
    const char* text = archive_error_string(handle_.get());
    refuse(fmt::format("damaged ({})", shorten_middle(text ? text : "unknown")));
}

void PartUnpacker::open() {
    archive* handle = handle_.get();
    if (archive_read_support_filter_zstd(handle) != ARCHIVE_OK)
        throw Error{ErrorKind::io, "libarchive was built without zstd",
                    "use a build of podctl that has it"};
    check(archive_read_support_format_tar(handle));
    archive_read_set_read_callback(handle, on_read);
    archive_read_set_callback_data(handle, this);
    check(archive_read_open1(handle));
    // libarchive counts the file itself as one; each would multiply what the others inflate to.
    if (archive_filter_count(handle) != 2) refuse("not packed with zstd, once");
}

archive_entry* PartUnpacker::next() {
    if (together_.token().stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
    archive_entry* entry = nullptr;
    header_from_ = inflated();
    const int result = archive_read_next_header(handle_.get(), &entry);
    header_from_.reset();
    check(result);
    return result == ARCHIVE_EOF ? nullptr : entry;
}

void PartUnpacker::run() {
    open();
    while (archive_entry* entry = next())
        unpack(entry);
    reader_.drain();
    writer_.finish();
    if (together_.token().stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
    check_whole();
}

void PartUnpacker::check_whole() const {
    if (members_ == part_.members && bytes_ == part_.unpacked) return;
    refuse(fmt::format("has {} members with {} bytes in place of {} with {}", members_, bytes_,
                       part_.members, part_.unpacked));
}

void PartUnpacker::unpack(archive_entry* entry) {
    std::string name = bytes_of(archive_entry_pathname(entry), archive_entry_pathname_utf8(entry));
    if (name.ends_with('/')) name.pop_back();  // a folder's
    folder_.check(name);
    if (++members_ > part_.members) refuse("has more members than its manifest says");
    const MemberStatus status{.mode = archive_entry_perm(entry),
                              .mtime = {.tv_sec = archive_entry_mtime(entry),
                                        .tv_nsec = archive_entry_mtime_nsec(entry)}};
    const auto type = archive_entry_filetype(entry);
    if (archive_entry_hardlink(entry) || archive_entry_hardlink_utf8(entry) ||
        (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK))
        refuse(fmt::format("its member \"{}\" is no file, folder or symbolic link",
                           shorten_middle(name)));
    if (type == AE_IFREG) return unpack_file(entry, name, status);
    // libarchive would inflate them, to step over them.
    if (archive_entry_size(entry) != 0)
        refuse(fmt::format("its member \"{}\" is no file, but has bytes", shorten_middle(name)));
    if (type == AE_IFLNK)
        return folder_.add_link(
            name, bytes_of(archive_entry_symlink(entry), archive_entry_symlink_utf8(entry)),
            status);
    folder_.add_folder(name);
    folders_.emplace_back(name, status);
}

std::optional<std::string_view> PartUnpacker::block(std::uint64_t& at) {
    if (together_.token().stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
    const void* data = nullptr;
    std::size_t length = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(handle_.get(), &data, &length, &offset);
    check(result);
    if (result == ARCHIVE_EOF) return std::nullopt;
    if (offset != static_cast<la_int64_t>(at)) refuse("has a file with holes");
    at += length;
    bytes_ += length;
    if (bytes_ > part_.unpacked) refuse("has more bytes than its manifest says");
    return std::string_view{static_cast<const char*>(data), length};
}

void PartUnpacker::unpack_file(archive_entry* entry, const std::string& name,
                               const MemberStatus& status) {
    const auto size =
        static_cast<std::uint64_t>(std::max<la_int64_t>(0, archive_entry_size(entry)));
    writer_.begin(name, status);
    std::uint64_t at = 0;
    while (const auto bytes = block(at))
        writer_.add(*bytes);
    writer_.end();
    if (at != size) refuse(fmt::format("its member \"{}\" is cut off", shorten_middle(name)));
}

void PartUnpacker::finish_folders() {
    // The deepest first: what is written into a folder changes its time.
    std::ranges::reverse(folders_);
    for (const auto& [name, status] : folders_)
        folder_.set_status(name, status);
}

}  // namespace podctl::python

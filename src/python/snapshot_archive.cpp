#include "snapshot_archive.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/shorten.hpp"

#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <new>

namespace podctl::python {

namespace {

// What libarchive may fill up with zeros when an archive is given up in the middle of a file.
constexpr std::uint64_t little = 16u << 20;

bool is_gone_or_another(int error_number) {
    return error_number == ENOENT || error_number == ENOTDIR || error_number == ELOOP ||
           error_number == ENXIO;
}

}  // namespace

void EntryDeleter::operator()(archive_entry* entry) const {
    archive_entry_free(entry);
}

ArchiveWriter::ArchiveWriter(PartWriter& file, Together& together, int level, unsigned threads)
    : file_(file), together_(together), entry_(archive_entry_new()), handle_(archive_write_new()) {
    if (!entry_ || !handle_) throw std::bad_alloc{};
    archive* handle = handle_.get();
    // ARCHIVE_WARN: a program of the machine would compress.
    if (archive_write_add_filter_zstd(handle) != ARCHIVE_OK)
        throw Error{ErrorKind::io, "libarchive was built without zstd",
                    "use a build of podctl that has it"};
    archive_write_set_filter_option(handle, "zstd", "compression-level",
                                    std::to_string(level).c_str());
    // A library that knows no threads packs with one.
    if (threads > 1)
        archive_write_set_filter_option(handle, "zstd", "threads", std::to_string(threads).c_str());
    check(archive_write_set_format_pax(handle));
    // Names are bytes, and the locale is C.
    check(archive_write_set_format_option(handle, nullptr, "hdrcharset", "BINARY"));
    check(archive_write_set_bytes_per_block(handle, 0));
    check(archive_write_open(handle, this, nullptr, on_write, nullptr));
}

// To free it is to close it, which fills up the file that was begun; it does not where it has
// failed, but forgets some bytes of its own then (libarchive 3.6).
ArchiveWriter::~ArchiveWriter() {
    is_abandoned_ = true;
    if (left_ > little) archive_write_fail(handle_.get());
}

la_ssize_t ArchiveWriter::on_write(archive* handle, void* self, const void* bytes,
                                   std::size_t size) {
    auto& writer = *static_cast<ArchiveWriter*>(self);
    if (!writer.is_abandoned_ && writer.file_.write({static_cast<const char*>(bytes), size}))
        return static_cast<la_ssize_t>(size);
    archive_set_error(handle, EIO, "not written on");
    return -1;
}

// ARCHIVE_WARN is a name that the C locale cannot say; its bytes are there all the same.
void ArchiveWriter::check(int result) const {
    if (result == ARCHIVE_OK || result == ARCHIVE_WARN) return;
    together_.rethrow();
    if (together_.token().stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
    const char* text = archive_error_string(handle_.get());
    throw Error{ErrorKind::io,
                fmt::format("{} cannot be packed: {}", shorten_middle(environment_.string()),
                            shorten_middle(text ? text : "unknown"))};
}

void ArchiveWriter::add(const std::filesystem::path& environment,
                        const std::vector<TreeMember>& members) {
    environment_ = environment;
    root_ = Fd{::open(environment.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!root_) throw system_error("cannot open " + environment.string(), errno);
    for (const TreeMember& member : members) {
        if (together_.token().stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
        add_one(member);
    }
}

void ArchiveWriter::finish(Snapshot::Part& part) {
    check(archive_write_close(handle_.get()));
    part.unpacked = bytes_;
    part.members = members_;
}

void ArchiveWriter::add_one(const TreeMember& member) {
    if (member.kind == MemberKind::file) return add_file(member);
    struct stat status {};
    if (::fstatat(root_.get(), member.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (is_gone_or_another(errno)) return;
        throw system_error("cannot look at " + (environment_ / member.name).string(), errno);
    }
    if (member.kind == MemberKind::folder && S_ISDIR(status.st_mode))
        begin(member.name, status, 0);
    else if (member.kind == MemberKind::link && S_ISLNK(status.st_mode))
        add_link(member, status);
}

void ArchiveWriter::add_link(const TreeMember& member, const struct stat& status) {
    std::array<char, PATH_MAX> target{};
    const auto size =
        ::readlinkat(root_.get(), member.name.c_str(), target.data(), target.size() - 1);
    if (size <= 0) return;  // gone, or another thing meanwhile
    archive_entry_clear(entry_.get());
    archive_entry_copy_symlink(entry_.get(), target.data());
    begin(member.name, status, 0);
}

// What is written by somebody else meanwhile must not make two of its size and its bytes: a small
// file is as long as what could be read of it.
void ArchiveWriter::add_file(const TreeMember& member) {
    const Fd file{
        ::openat(root_.get(), member.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    struct stat status {};
    if (!file && is_gone_or_another(errno)) return;
    const auto path = environment_ / member.name;
    if (!file || ::fstat(file.get(), &status) != 0)
        throw system_error("cannot open " + path.string(), errno);
    if (!S_ISREG(status.st_mode)) return;
    auto size = static_cast<std::uint64_t>(status.st_size);
    if (size <= chunk_size) {
        size = read_at(file.get(), 0, {buffer_.bytes.get(), size}, path);
        begin(member.name, status, size);
        write({buffer_.bytes.get(), size});
    } else {
        begin(member.name, status, size);
        add_content(file.get(), member.name, size);
    }
    bytes_ += size;
    left_ = 0;
}

// A large one is cut at the size that it had, or filled up with zeros by libarchive.
void ArchiveWriter::add_content(int file, const std::string& name, std::uint64_t size) {
    for (std::uint64_t at = 0; at < size;) {
        if (together_.token().stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
        const auto wanted = std::min<std::uint64_t>(chunk_size, size - at);
        const auto got = read_at(file, at, {buffer_.bytes.get(), wanted}, environment_ / name);
        if (got == 0) return;
        write({buffer_.bytes.get(), got});
        at += got;
        left_ = size - at;
    }
}

void ArchiveWriter::begin(const std::string& name, const struct stat& status, std::uint64_t size) {
    archive_entry* entry = entry_.get();
    if (!S_ISLNK(status.st_mode)) archive_entry_clear(entry);
    archive_entry_copy_pathname(entry, name.c_str());
    archive_entry_set_mode(entry, status.st_mode);
    // To the nanosecond, since podctl compares times: for whom install.py was run, say. It costs a
    // header more for each file.
    archive_entry_set_mtime(entry, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    archive_entry_set_size(entry, static_cast<la_int64_t>(size));
    check(archive_write_header(handle_.get(), entry));
    left_ = size;
    ++members_;
}

void ArchiveWriter::write(std::string_view bytes) {
    if (bytes.empty()) return;
    const auto written = archive_write_data(handle_.get(), bytes.data(), bytes.size());
    if (written < 0) check(static_cast<int>(written));
}

}  // namespace podctl::python

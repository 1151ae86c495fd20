#include "archive_reader.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/base/utf8.hpp"

#include <archive_entry.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

namespace podctl::download {
namespace {

// What is given at once inflates to 1,000 times as much with gzip, 45,000 times with bzip2, before
// anybody is asked again whether to go on.
constexpr std::size_t packed_block = 1 << 10;
constexpr std::size_t plain_block = 1 << 20;

// Headers of one entry: libarchive takes a long name, a long link and pax's attributes of 1 MiB
// each. A sparse file's map has no bound there, and costs twelve times its size in memory.
constexpr std::uint64_t max_entry_headers = 4 << 20;

// libarchive counts the file itself as one.
constexpr int max_filters = 2;

constexpr const char* other_members = "its members are not those of its directory";

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

ArchiveHandle prepared(ArchiveKind kind) {
    auto handle = fresh();
    if (kind == ArchiveKind::zip) {
        // The other reader of zips goes from local header to local header, as nobody else does.
        archive_read_support_format_zip_seekable(handle.get());
        return handle;
    }
    for (const Support filter : own_filters())
        filter(handle.get());
    archive_read_support_format_tar(handle.get());
    if (kind == ArchiveKind::tar_or_stream) archive_read_support_format_raw(handle.get());
    return handle;
}

// Of 0x80 and on.
constexpr std::array<std::string_view, 128> code_page_437{
    "Ç", "ü", "é", "â", "ä", "à", "å", "ç", "ê", "ë", "è", "ï", "î", "ì", "Ä", "Å",
    "É", "æ", "Æ", "ô", "ö", "ò", "û", "ù", "ÿ", "Ö", "Ü", "¢", "£", "¥", "₧", "ƒ",
    "á", "í", "ó", "ú", "ñ", "Ñ", "ª", "º", "¿", "⌐", "¬", "½", "¼", "¡", "«", "»",
    "░", "▒", "▓", "│", "┤", "╡", "╢", "╖", "╕", "╣", "║", "╗", "╝", "╜", "╛", "┐",
    "└", "┴", "┬", "├", "─", "┼", "╞", "╟", "╚", "╔", "╩", "╦", "╠", "═", "╬", "╧",
    "╨", "╤", "╥", "╙", "╘", "╒", "╓", "╫", "╪", "┘", "┌", "█", "▄", "▌", "▐", "▀",
    "α", "ß", "Γ", "π", "Σ", "σ", "µ", "τ", "Φ", "Θ", "Ω", "δ", "∞", "φ", "ε", "∩",
    "≡", "±", "≥", "≤", "⌠", "⌡", "÷", "≈", "°", "∙", "·", "√", "ⁿ", "²", "■", "\u00A0"};

}  // namespace

ArchiveReader::ArchiveReader(const FileBytes& file, ArchiveKind kind, const ArchiveLimits& limits,
                             std::stop_token stop)
    : file_(file), kind_(kind), limits_(limits), stop_(std::move(stop)), buffer_(plain_block) {}

ArchiveReader::ArchiveReader(const FileBytes& file, const ZipDirectory& directory,
                             const ArchiveLimits& limits, std::stop_token stop)
    : ArchiveReader(file, ArchiveKind::zip, limits, std::move(stop)) {
    roll_call_.emplace(directory);
}

bool ArchiveReader::open() {
    handle_ = prepared(kind_);
    archive_read_set_read_callback(handle_.get(), on_read);
    if (kind_ == ArchiveKind::zip) archive_read_set_seek_callback(handle_.get(), on_seek);
    archive_read_set_callback_data(handle_.get(), this);
    is_packed_ = kind_ != ArchiveKind::zip;  // until it is known
    take(archive_read_open1(handle_.get()));
    if (!fault_.empty()) return false;
    const int filters = archive_filter_count(handle_.get());
    // Each multiplies what the others inflate to.
    if (filters > max_filters) fault_ = "packed more than once";
    is_packed_ = filters > 1;
    return fault_.empty();
}

archive_entry* ArchiveReader::next() {
    entry_ = nullptr;
    header_from_ = position();
    const int result = archive_read_next_header(handle_.get(), &entry_);
    header_from_.reset();
    take(result);
    if (result == ARCHIVE_EOF && roll_call_ && !roll_call_->is_complete() && fault_.empty())
        fault_ = other_members;
    if (result == ARCHIVE_EOF || !fault_.empty()) return nullptr;
    call_roll(entry_);
    check_entry(entry_);
    return fault_.empty() ? entry_ : nullptr;
}

void ArchiveReader::call_roll(archive_entry* entry) {
    if (!roll_call_) return;
    const bool is_file = archive_entry_filetype(entry) == AE_IFREG;
    member_ = roll_call_->came(
        is_file ? std::optional{static_cast<std::uint64_t>(archive_entry_size(entry))}
                : std::nullopt);
    if (!member_) fault_ = other_members;
}

// libarchive itself has no word for what the locale, which is C, cannot say.
std::string ArchiveReader::name() const {
    if (member_) return utf8_name(member_->name);
    const char* utf8 = archive_entry_pathname_utf8(entry_);
    const char* raw = archive_entry_pathname(entry_);
    return utf8_name(utf8 ? utf8 : raw ? raw : "");
}

// libarchive steps over the bytes of what is no file, by inflating them, and over those of a hard
// link, which nobody here reads.
void ArchiveReader::check_entry(archive_entry* entry) {
    if (!fault_.empty()) return;
    if (++entries_ > limits_.entries) {
        fault_ = fmt::format("more than {} entries", limits_.entries);
        return;
    }
    const bool is_file = archive_entry_filetype(entry) == AE_IFREG &&
                         !archive_entry_hardlink(entry) && !archive_entry_hardlink_utf8(entry);
    if (is_file || archive_entry_size(entry) == 0) return;
    fault_ = fmt::format("{} is no file, but claims {} bytes", shorten_middle(name()),
                         archive_entry_size(entry));
}

std::optional<ArchiveReader::Block> ArchiveReader::read() {
    if (stop_.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
    const void* data = nullptr;
    std::size_t length = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(handle_.get(), &data, &length, &offset);
    if (result == ARCHIVE_WARN && fault_.empty()) {  // such as a wrong checksum
        const char* text = archive_error_string(handle_.get());
        fault_ = fmt::format("damaged ({})", shorten_middle(text ? text : "unknown"));
    }
    take(result);
    if (result == ARCHIVE_EOF || !fault_.empty()) return std::nullopt;
    if (offset < 0) {
        fault_ = "damaged (a place before its start)";
        return std::nullopt;
    }
    return Block{{static_cast<const char*>(data), length}, static_cast<std::uint64_t>(offset)};
}

bool ArchiveReader::is_raw() const {
    return (archive_format(handle_.get()) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_RAW;
}

std::uint64_t ArchiveReader::position() const {
    return static_cast<std::uint64_t>(
        std::max<la_int64_t>(0, archive_filter_bytes(handle_.get(), 0)));
}

// What a call of libarchive has ended with. ARCHIVE_WARN is a name that the C locale cannot say;
// its bytes are there all the same.
void ArchiveReader::take(int result) {
    if (stop_.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
    if (read_error_ != 0) throw system_error("reading an archive", read_error_);
    if (result == ARCHIVE_OK || result == ARCHIVE_WARN || result == ARCHIVE_EOF || !fault_.empty())
        return;
    const char* text = archive_error_string(handle_.get());
    fault_ = fmt::format("damaged, or no zip or tar archive ({})",
                         shorten_middle(text ? text : "unknown"));
}

bool ArchiveReader::may_go_on() {
    if (stop_.stop_requested()) return false;
    if (kind_ == ArchiveKind::zip) return true;  // its position jumps, and says little
    if (is_packed_ && position() > limits_.inflated)
        fault_ = "unpacks to far more than its own size";
    else if (header_from_ && position() - *header_from_ > max_entry_headers)
        fault_ = "the headers of an entry are too large";
    return fault_.empty();
}

la_ssize_t ArchiveReader::give(const void** bytes) {
    while (rest_.empty()) {
        const auto got =
            ::pread(file_.fd(), buffer_.data(), buffer_.size(), static_cast<off_t>(at_));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) read_error_ = errno;
        if (got <= 0) return got;
        at_ += static_cast<std::uint64_t>(got);
        rest_ = {buffer_.data(), static_cast<std::size_t>(got)};
    }
    const auto size = std::min(rest_.size(), is_packed_ ? packed_block : plain_block);
    *bytes = rest_.data();
    rest_.remove_prefix(size);
    return static_cast<la_ssize_t>(size);
}

la_ssize_t ArchiveReader::on_read(archive* handle, void* self, const void** bytes) {
    auto& reader = *static_cast<ArchiveReader*>(self);
    const auto given = reader.may_go_on() ? reader.give(bytes) : -1;
    if (given < 0) archive_set_error(handle, EIO, "not read on");
    return given;
}

la_int64_t ArchiveReader::on_seek(archive*, void* self, la_int64_t offset, int whence) {
    auto& reader = *static_cast<ArchiveReader*>(self);
    const auto from = whence == SEEK_SET ? 0
                      : whence == SEEK_CUR
                          ? static_cast<la_int64_t>(reader.at_ - reader.rest_.size())
                          : static_cast<la_int64_t>(reader.file_.size());
    la_int64_t to = 0;
    if (__builtin_add_overflow(from, offset, &to) || to < 0) return ARCHIVE_FATAL;
    reader.at_ = static_cast<std::uint64_t>(to);
    reader.rest_ = {};
    return to;
}

std::string utf8_name(std::string name) {
    if (utf8::is_valid(name)) return name;
    std::string read;
    for (const char c : name)
        if (const auto byte = static_cast<unsigned char>(c); byte < 0x80)
            read += c;
        else
            read += code_page_437[byte - 0x80];
    return read;
}

}  // namespace podctl::download

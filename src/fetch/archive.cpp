#include "podctl/fetch/archive.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/remove_tree.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/base/units.hpp"

#include "archive_reader.hpp"
#include "file_bytes.hpp"
#include "unpack_folder.hpp"
#include "zip_directory.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

namespace podctl::fetch {
namespace {

// A stranger's archive may fill a volume with what fits into an e-mail. Deflate packs zeros 1:1000;
// models hardly at all, text 1:10 to 1:50.
constexpr std::uint64_t max_ratio = 200;
constexpr std::uint64_t always_allowed = 64u << 20;

class Unpacking {
public:
    Unpacking(const std::filesystem::path& path, const std::filesystem::path& folder,
              std::stop_token stop)
        : path_(path), place_(folder), folder_(folder), stop_(std::move(stop)), bytes_(path) {
        // The reader has a descriptor of its own, since it moves the place that it reads at.
        room_ = free_space(folder);
        allowed_ = std::max(always_allowed, max_ratio * std::min(bytes_.size(), room_));
    }

    std::vector<UnpackedFile> run() {
        open();
        archive_entry* entry = nullptr;
        while (next(entry)) {
            if (++entries_ > max_archive_entries)
                refuse(fmt::format("more than {} entries", max_archive_entries));
            if (entries_ == 1) check_directory();
            unpack_entry(entry);
        }
        folder_.sync();
        return folder_.files();
    }

private:
    [[noreturn]] void refuse(const std::string& what) const {
        throw Error{ErrorKind::integrity, fmt::format("{}: {}", shown_path(), what),
                    "nothing of it is used; check where the archive comes from"};
    }

    std::string shown_path() const { return shorten_middle(path_.string()); }

    // What a zip's directory tells before anything is unpacked.
    void check_directory() const {
        const int format = archive_format(archive_.get()) & ARCHIVE_FORMAT_BASE_MASK;
        if (format != ARCHIVE_FORMAT_ZIP) return;
        const auto directory = read_zip_directory(bytes_, max_archive_entries + 1);
        if (!directory) refuse("damaged, or cut off: a zip archive without its directory");
        if (directory->count > max_archive_entries)
            refuse(fmt::format("more than {} entries", max_archive_entries));
        std::uint64_t total = 0;
        for (const auto& member : directory->members) {
            if (member.encrypted)
                refuse(fmt::format("{} is encrypted", shorten_middle(member.name)));
            if (__builtin_add_overflow(total, member.size, &total)) refuse("impossible sizes");
            check_room(total);
        }
        if (has_overlaps(*directory)) refuse("its members overlap");
    }

    void open() {
        std::string why;
        file_ = open_beneath(path_, O_RDONLY);
        if (!file_) throw system_error(fmt::format("opening {}", shown_path()), errno);
        archive_ = open_archive(file_.get(), ArchiveKind::zip_or_tar, why);
        if (!archive_) refuse(fmt::format("no zip or tar archive ({})", why));
    }

    std::string said() const {
        const char* text = archive_error_string(archive_.get());
        return shorten_middle(text ? text : "unknown");
    }

    bool next(archive_entry*& entry) {
        check_stop();
        const int result = archive_read_next_header(archive_.get(), &entry);
        if (result == ARCHIVE_EOF) return false;
        // ARCHIVE_WARN: a name that the C locale cannot say; its bytes are there all the same.
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
            refuse(fmt::format("damaged, or no zip or tar archive ({})", said()));
        return true;
    }

    void check_stop() const {
        if (stop_.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
    }

    static std::string name_of(const char* utf8, const char* raw) {
        return utf8 ? utf8 : raw ? raw : "";
    }

    void unpack_entry(archive_entry* entry) {
        const auto name =
            name_of(archive_entry_pathname_utf8(entry), archive_entry_pathname(entry));
        const auto parts = folder_.checked_parts(name);
        if (parts.empty()) return;  // "./"
        if (archive_entry_is_encrypted(entry))
            refuse(fmt::format("{} is encrypted", shorten_middle(name)));
        if (const auto link =
                name_of(archive_entry_hardlink_utf8(entry), archive_entry_hardlink(entry));
            !link.empty()) {
            folder_.add_hard_link(parts, folder_.checked_parts(link));
            return;
        }
        switch (archive_entry_filetype(entry)) {
            case AE_IFDIR:
                folder_.add_folder(parts);
                return;
            case AE_IFREG:
                write_file(entry, parts);
                return;
            case AE_IFLNK:
                folder_.add_symlink(parts, name_of(archive_entry_symlink_utf8(entry),
                                                   archive_entry_symlink(entry)));
                return;
            default:
                refuse(fmt::format("{} is a device, a socket or a FIFO", shorten_middle(name)));
        }
    }

    void write_file(archive_entry* entry, const std::vector<std::string>& parts) {
        if (archive_entry_size_is_set(entry))
            check_room(static_cast<std::uint64_t>(archive_entry_size(entry)));
        const bool executable = (archive_entry_perm(entry) & 0100) != 0;
        const Fd file = folder_.create_file(parts, executable ? 0755 : 0644);
        std::uint64_t size = 0;
        while (true) {
            check_stop();
            const void* data = nullptr;
            std::size_t length = 0;
            la_int64_t offset = 0;
            const int result = archive_read_data_block(archive_.get(), &data, &length, &offset);
            if (result == ARCHIVE_EOF) break;
            if (result != ARCHIVE_OK)
                refuse(fmt::format("{}: {}", shorten_middle(join(parts)), said()));
            const auto end = static_cast<std::uint64_t>(offset) + length;
            check_room(end);
            write_block(file, static_cast<const char*>(data), length, offset, parts);
            size = std::max(size, end);
        }
        // A sparse file may end in a hole.
        if (archive_entry_size_is_set(entry) &&
            static_cast<std::uint64_t>(archive_entry_size(entry)) > size) {
            size = static_cast<std::uint64_t>(archive_entry_size(entry));
            if (::ftruncate(file.get(), static_cast<off_t>(size)) != 0)
                throw system_error("writing " + place_of(parts), errno);
        }
        written_ += size;
        folder_.set_size(parts, size);
    }

    std::string place_of(const std::vector<std::string>& parts) const {
        return shorten_middle((place_ / join(parts)).string());
    }

    // What an archive claims, and what it really inflates to, both count.
    void check_room(std::uint64_t size) const {
        const bool fits = size <= room_ && written_ <= room_ - size;
        if (!fits)
            throw Error{ErrorKind::io,
                        fmt::format("{}: unpacks to more than the {} that are free", shown_path(),
                                    format_bytes({room_})),
                        "free space on the volume, or check where the archive comes from"};
        if (size <= allowed_ && written_ <= allowed_ - size) return;
        refuse(fmt::format("unpacks to more than {} times its size, {}", max_ratio,
                           format_bytes({bytes_.size()})));
    }

    void write_block(const Fd& file, const char* data, std::size_t length, la_int64_t offset,
                     const std::vector<std::string>& parts) const {
        while (length > 0) {
            const auto put = ::pwrite(file.get(), data, length, offset);
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) throw system_error("writing " + place_of(parts), errno);
            data += put;
            length -= static_cast<std::size_t>(put);
            offset += put;
        }
    }

    const std::filesystem::path& path_;
    const std::filesystem::path& place_;
    UnpackFolder folder_;
    std::stop_token stop_;
    FileBytes bytes_;
    std::uint64_t room_ = 0;     // free on the file system
    std::uint64_t allowed_ = 0;  // by the archive's own size
    std::uint64_t written_ = 0;
    std::size_t entries_ = 0;
    Fd file_;
    ArchiveHandle archive_;
};

}  // namespace

std::vector<UnpackedFile> unpack(const std::filesystem::path& archive,
                                 const std::filesystem::path& folder, std::stop_token stop) {
    create_folders(folder);
    try {
        return Unpacking(archive, folder, std::move(stop)).run();
    } catch (...) {
        // A refused archive keeps no byte, nor does one that a full disk or a signal stopped.
        remove_tree_quietly(folder);
        throw;
    }
}

}  // namespace podctl::fetch

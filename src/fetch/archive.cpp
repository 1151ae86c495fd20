#include "podctl/fetch/archive.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/units.hpp"

#include "unpack_folder.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/core.h>

#include <cerrno>
#include <memory>

namespace podctl::fetch {
namespace {

constexpr std::size_t read_block = 1 << 20;
constexpr std::size_t max_entries = 200'000;

struct ArchiveDeleter {
    void operator()(archive* handle) const { archive_read_free(handle); }
};

class Unpacking {
public:
    Unpacking(const std::filesystem::path& path, const std::filesystem::path& folder,
              std::stop_token stop)
        : path_(path),
          place_(folder),
          folder_(folder),
          stop_(std::move(stop)),
          room_(free_space(folder)) {
        open();
    }

    std::vector<UnpackedFile> run() {
        archive_entry* entry = nullptr;
        while (next(entry)) {
            if (++entries_ > max_entries) refuse(fmt::format("more than {} entries", max_entries));
            unpack_entry(entry);
        }
        folder_.sync();
        return std::move(files_);
    }

private:
    [[noreturn]] void refuse(const std::string& what) const {
        throw Error{ErrorKind::integrity, fmt::format("{}: {}", path_.string(), what),
                    "nothing of it is used; check where the archive comes from"};
    }

    void open() {
        file_ = Fd{::open(path_.c_str(), O_RDONLY | O_CLOEXEC)};
        if (!file_) throw system_error(fmt::format("opening {}", path_.string()), errno);
        archive_.reset(archive_read_new());
        if (!archive_) throw std::bad_alloc{};
        archive_read_support_filter_all(archive_.get());
        archive_read_support_format_tar(archive_.get());
        archive_read_support_format_zip(archive_.get());
        if (archive_read_open_fd(archive_.get(), file_.get(), read_block) != ARCHIVE_OK)
            refuse(fmt::format("no zip or tar archive ({})", said()));
    }

    std::string said() const {
        const char* text = archive_error_string(archive_.get());
        return text ? text : "unknown";
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
        if (archive_entry_is_encrypted(entry)) refuse(fmt::format("{} is encrypted", name));
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
                refuse(fmt::format("{} is a device, a socket or a FIFO", name));
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
            if (result != ARCHIVE_OK) refuse(fmt::format("{}: {}", join(parts), said()));
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
        files_.push_back({.path = join(parts), .size = size});
    }

    std::string place_of(const std::vector<std::string>& parts) const {
        return (place_ / join(parts)).string();
    }

    // What an archive claims, and what it really inflates to, both count.
    void check_room(std::uint64_t size) const {
        if (size <= room_ && written_ <= room_ - size) return;
        throw Error{ErrorKind::io,
                    fmt::format("{}: unpacks to more than the {} that are free", path_.string(),
                                format_bytes({room_})),
                    "free space on the volume, or check where the archive comes from"};
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
    std::uint64_t room_;
    std::uint64_t written_ = 0;
    std::size_t entries_ = 0;
    Fd file_;
    std::unique_ptr<archive, ArchiveDeleter> archive_;
    std::vector<UnpackedFile> files_;
};

}  // namespace

std::vector<UnpackedFile> unpack(const std::filesystem::path& archive,
                                 const std::filesystem::path& folder, std::stop_token stop) {
    create_folders(folder);
    return Unpacking(archive, folder, std::move(stop)).run();
}

}  // namespace podctl::fetch

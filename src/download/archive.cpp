#include "podctl/download/archive.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/remove_tree.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/base/units.hpp"

#include "archive_reader.hpp"
#include "file_bytes.hpp"
#include "inert_archive.hpp"
#include "unpack_folder.hpp"
#include "zip_directory.hpp"

#include <archive_entry.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace podctl::download {
namespace {

class Unpacking {
public:
    Unpacking(const std::filesystem::path& path, const std::filesystem::path& folder,
              DotNames dot_names, std::stop_token stop)
        : path_(path), place_(folder), folder_(folder, dot_names), bytes_(path) {
        room_ = free_space(folder);
        allowed_ = most_unpacked(bytes_.size(), room_);
        const auto directory = zip_directory();
        if (directory) check_directory(*directory);
        // What else a packed tar has (headers, padding) is never as much as that again.
        const ArchiveLimits limits{.inflated = 2 * allowed_, .entries = max_archive_entries};
        if (directory)
            reader_.emplace(bytes_, *directory, limits, std::move(stop));
        else
            reader_.emplace(bytes_, ArchiveKind::tar, limits, std::move(stop));
    }

    std::vector<UnpackedFile> run() {
        if (!reader_->open()) refuse(reader_->fault());
        while (archive_entry* entry = next())
            unpack_entry(entry);
        folder_.sync();
        auto files = folder_.files();
        if (files.empty()) refuse(no_file);
        return files;
    }

private:
    static constexpr const char* no_file = "it holds no file";

    [[noreturn]] void refuse(const std::string& what) const {
        throw Error{ErrorKind::integrity, fmt::format("{}: {}", shown_path(), what),
                    "nothing of it is used; check where the archive comes from"};
    }

    std::string shown_path() const { return shorten_middle(path_.string()); }

    // nullopt: it is none. What begins as another archive is that, whatever stands at its end.
    std::optional<ZipDirectory> zip_directory() const {
        if (!begins_as_zip(bytes_) && looks_like_archive(bytes_)) return std::nullopt;
        auto directory = read_zip_directory(bytes_, max_archive_entries + 1);
        if (!directory && begins_as_zip(bytes_))
            refuse("damaged, or cut off: a zip archive without its directory");
        return directory;
    }

    // What a zip's directory tells before anything is unpacked.
    void check_directory(const ZipDirectory& directory) const {
        if (directory.count > max_archive_entries)
            refuse(fmt::format("more than {} entries", max_archive_entries));
        std::uint64_t total = 0;
        for (const auto& member : directory.members) {
            if (member.encrypted)
                refuse(fmt::format("{} is encrypted", shorten_middle(member.name)));
            if (__builtin_add_overflow(total, member.size, &total)) refuse("impossible sizes");
            check_room(total);
        }
        if (const auto fault = zip_fault(bytes_, directory); !fault.empty()) refuse(fault);
        if (directory.members.empty()) refuse(no_file);
    }

    archive_entry* next() {
        archive_entry* entry = reader_->next();
        if (!entry && !reader_->fault().empty()) refuse(reader_->fault());
        return entry;
    }

    static std::string name_of(const char* utf8, const char* raw) {
        return utf8_name(utf8 ? utf8 : raw ? raw : "");
    }

    void unpack_entry(archive_entry* entry) {
        const auto name = reader_->name();
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
        while (const auto block = reader_->read()) {
            std::uint64_t end = 0;
            if (__builtin_add_overflow(block->offset, block->bytes.size(), &end))
                refuse("impossible sizes");
            check_room(end);
            write_block(file, *block, parts);
            size = std::max(size, end);
        }
        if (!reader_->fault().empty())
            refuse(fmt::format("{}: {}", shorten_middle(join(parts)), reader_->fault()));
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
        refuse(fmt::format("unpacks to more than {} times its size, {}", most_archive_ratio,
                           format_bytes({bytes_.size()})));
    }

    void write_block(const Fd& file, ArchiveReader::Block block,
                     const std::vector<std::string>& parts) const {
        while (!block.bytes.empty()) {
            const auto put = ::pwrite(file.get(), block.bytes.data(), block.bytes.size(),
                                      static_cast<off_t>(block.offset));
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) throw system_error("writing " + place_of(parts), errno);
            block.bytes.remove_prefix(static_cast<std::size_t>(put));
            block.offset += static_cast<std::uint64_t>(put);
        }
    }

    const std::filesystem::path& path_;
    const std::filesystem::path& place_;
    UnpackFolder folder_;
    FileBytes bytes_;
    std::uint64_t room_ = 0;     // free on the file system
    std::uint64_t allowed_ = 0;  // by the archive's own size
    std::uint64_t written_ = 0;
    std::optional<ArchiveReader> reader_;
};

}  // namespace

std::vector<UnpackedFile> unpack(const std::filesystem::path& archive,
                                 const std::filesystem::path& folder, DotNames dot_names,
                                 std::stop_token stop) {
    create_folders(folder);
    try {
        return Unpacking(archive, folder, dot_names, std::move(stop)).run();
    } catch (...) {
        // A refused archive keeps no byte, nor does one that a full disk or a signal stopped.
        remove_tree_quietly(folder);
        throw;
    }
}

}  // namespace podctl::download

#include "inert_archive.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/shorten.hpp"

#include "archive_reader.hpp"
#include "inert_format.hpp"
#include "unpack_folder.hpp"
#include "zip_directory.hpp"

#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <optional>

namespace podctl::download {
namespace {

using Kind = Verdict::Kind;

constexpr int most_nested_archives = 3;

// A file without a name, on the file system of the archive: it is gone with its descriptor.
Fd nameless_file(const std::filesystem::path& folder) {
    Fd file{::open(folder.empty() ? "." : folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    if (file) return file;
    // Network file systems may have no such files.
    std::string name = (folder / ".podctl-look-XXXXXX").string();
    file = Fd{::mkostemp(name.data(), O_CLOEXEC)};
    if (!file) throw system_error(fmt::format("creating a file in {}", folder.string()), errno);
    ::unlink(name.c_str());
    return file;
}

// "x.pkl" of x.pkl.gz; a .tgz has no name in it.
std::string without_last_extension(std::string_view name) {
    const auto dot = name.rfind('.');
    return std::string{name.substr(0, dot == 0 ? name.npos : dot)};
}

std::string file_name(std::string_view path) {
    return std::string{path.substr(path.rfind('/') + 1)};
}

Verdict holds(const std::string& member, Verdict verdict) {
    verdict.what =
        fmt::format("an archive that holds {}, {}", shorten_middle(member, 80), verdict.what);
    return verdict;
}

class Members {
public:
    Members(const FileBytes& file, std::string_view name, const Judging& judging)
        : file_(file),
          name_(name),
          judging_(judging),
          room_(free_space(judging.folder)),
          allowed_(most_unpacked(file.size(), room_)) {}

    // By its directory, which zip readers believe.
    Verdict run_zip(const ZipDirectory& directory) {
        reader_.emplace(file_, directory, limits(), judging_.stop);
        return run();
    }

    Verdict run_stream() {
        reader_.emplace(file_, ArchiveKind::tar_or_stream, limits(), judging_.stop);
        const auto verdict = run();
        if (verdict.kind != Kind::inert) return verdict;
        const auto zip = read_zip_directory(file_, 1);
        // A tar's last member may be a zip, and was looked at.
        if (!zip || (file_.part(257, 5) == "ustar" && zip->begin < end_)) return verdict;
        return unknown("an archive and a zip archive");
    }

private:
    ArchiveLimits limits() const {
        return {.inflated = 2 * allowed_, .entries = max_archive_entries};
    }

    Verdict run() {
        if (!reader_->open()) return unknown(damaged());
        while (archive_entry* entry = reader_->next())
            if (const auto verdict = member(entry); verdict.kind != Kind::inert) return verdict;
        end_ = reader_->position();
        if (!reader_->fault().empty()) return unknown(damaged());
        return {.kind = Kind::inert, .what = "an archive"};
    }

    std::string damaged() const {
        return fmt::format("an archive that is refused: {}", reader_->fault());
    }

    Verdict member(archive_entry* entry) {
        const auto name = reader_->is_raw() ? without_last_extension(name_) : reader_->name();
        if (archive_entry_filetype(entry) != AE_IFREG) return {.kind = Kind::inert};
        if (archive_entry_is_encrypted(entry)) return holds(name, unknown("encrypted"));
        const auto by_name = judge_name(file_name(name));
        if (by_name.kind == Kind::pickle) return holds(name, by_name);
        const FileBytes copy{nameless_file(judging_.folder), name};
        if (!write(copy.fd())) return holds(name, unknown("damaged or too large to look into"));
        const FileBytes whole{Fd{::fcntl(copy.fd(), F_DUPFD_CLOEXEC, 0)}, name};
        const auto verdict = judge_content(
            whole, file_name(name),
            {.folder = judging_.folder, .stop = judging_.stop, .depth = judging_.depth + 1});
        return verdict.kind == Kind::inert ? verdict : holds(name, verdict);
    }

    // False: damaged, or more than an archive of this size may hold.
    bool write(int fd) {
        while (const auto block = reader_->read()) {
            written_ += block->bytes.size();
            const auto end = block->offset + block->bytes.size();
            if (std::max(written_, end) > std::min(allowed_, room_)) return false;
            if (::lseek(fd, static_cast<off_t>(block->offset), SEEK_SET) < 0)
                throw system_error("looking into an archive", errno);
            write_all(fd, block->bytes, file_.path());
        }
        return reader_->fault().empty();
    }

    const FileBytes& file_;
    const std::string name_;
    const Judging& judging_;
    const std::uint64_t room_, allowed_;
    std::uint64_t written_ = 0, end_ = 0;
    std::optional<ArchiveReader> reader_;
};

// What a zip's directory says before any member is unpacked. Inert: nothing against it.
Verdict judge_directory(const FileBytes& file, const ZipDirectory& directory) {
    if (directory.count > max_archive_entries) return unknown("a zip archive of too many members");
    if (const auto fault = zip_fault(file, directory); !fault.empty())
        return unknown("a zip archive that is refused: " + fault);
    for (const auto& member : directory.members) {
        auto verdict = judge_name(file_name(member.name));
        if (verdict.kind == Kind::inert || (verdict.kind == Kind::unknown && member.size == 0))
            continue;
        return holds(member.name, std::move(verdict));
    }
    return {.kind = Kind::inert};
}

}  // namespace

bool looks_like_archive(const FileBytes& file) {
    if (begins_as_zip(file)) return true;
    constexpr std::string_view lzma{"\x5D\0\0", 3};
    for (const std::string_view mark :
         {std::string_view{"\x1F\x8B"}, std::string_view{"\x1F\x9D"}, std::string_view{"BZh"},
          std::string_view{"\xFD"
                           "7zXZ"},
          std::string_view{"\x28\xB5\x2F\xFD"}, std::string_view{"\x04\x22\x4D\x18"}, lzma})
        if (file.part(0, mark.size()) == mark) return true;
    return file.part(257, 5) == "ustar";
}

Verdict judge_archive(const FileBytes& file, std::string_view name, const Judging& judging) {
    if (judging.depth >= most_nested_archives) return unknown("an archive in too many others");
    // At the end of a file that begins as another one there can only be a zip.
    if (!begins_as_zip(file) && looks_like_archive(file))
        return Members{file, name, judging}.run_stream();
    const auto directory = read_zip_directory(file, max_archive_entries + 1);
    if (file.part(257, 5) == "ustar") return unknown("a zip archive and a tar");
    if (!directory) return unknown("a damaged zip archive");
    if (auto verdict = judge_directory(file, *directory); verdict.kind != Kind::inert)
        return verdict;
    return Members{file, name, judging}.run_zip(*directory);
}

}  // namespace podctl::download

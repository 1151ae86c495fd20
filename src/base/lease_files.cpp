#include "lease_files.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/trust.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>

namespace podctl {

namespace {

namespace fs = std::filesystem;

struct CloseListing {
    void operator()(DIR* entries) const { ::closedir(entries); }
};

// A file handle that its server knows no more (NFS, GlusterFS) says: look again.
constexpr int most_looks = 3;
// Nobody counts as far; the next number has room.
constexpr std::size_t most_digits = 18;

// "NAME.12" is 12. 0: it is no generation's name, or not as it would be written.
std::uint64_t generation_in(std::string_view entry, std::string_view name) {
    if (entry.size() <= name.size() + 1 || !entry.starts_with(name) || entry[name.size()] != '.')
        return 0;
    const auto digits = entry.substr(name.size() + 1);
    if (digits.size() > most_digits || digits.front() == '0') return 0;
    std::uint64_t number = 0;
    const auto* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, number);
    return error == std::errc{} && stop == end ? number : 0;
}

bool is_own_entry(int folder, const char* entry) {
    struct stat status {};
    if (::fstatat(folder, entry, &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
    // One that has another name may have been put there by whoever may only name it.
    return S_ISREG(status.st_mode) && status.st_nlink <= 1 && is_own(status.st_uid, folder);
}

// NFS clients keep what a folder held for up to a minute, unless they are told to ask.
void ask_server(const Fd& folder) {
    struct statx ignored {};
    static_cast<void>(
        ::statx(folder.get(), "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_MTIME, &ignored));
}

// False, with errno.
bool list_into(LeaseGenerations& found, const Fd& folder, std::string_view name) {
    Fd readable{::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!readable) return false;
    const std::unique_ptr<DIR, CloseListing> entries{::fdopendir(readable.get())};
    if (!entries) return false;
    readable.release();
    errno = 0;
    while (const dirent* entry = ::readdir(entries.get())) {
        if (const auto number = generation_in(entry->d_name, name)) {
            auto& numbers = is_own_entry(folder.get(), entry->d_name) ? found.own : found.others;
            numbers.push_back(number);
        }
        errno = 0;
    }
    return errno == 0;
}

// Some hundred bytes, which come at once or not at all.
void write_at_start(const Fd& file, std::string_view bytes, const fs::path& path) {
    const auto wrote = ::pwrite(file.get(), bytes.data(), bytes.size(), 0);
    if (wrote != static_cast<ssize_t>(bytes.size()))
        throw system_error("cannot write " + path.string(), wrote < 0 ? errno : ENOSPC);
}

// What a network volume has not taken, close() tells.
void close_written(Fd file, const fs::path& path) {
    if (::close(file.release()) != 0 && errno != EINTR)
        throw system_error("cannot write " + path.string(), errno);
}

// All of a file as short as a lease's. nullopt, with errno.
std::optional<std::string> text_in(int file) {
    std::array<char, 1024> buffer{};
    const auto size = ::pread(file, buffer.data(), buffer.size(), 0);
    if (size < 0) return std::nullopt;
    return std::string{buffer.data(), static_cast<std::size_t>(size)};
}

bool is_absent(int error_number) {
    return error_number == ENOENT || error_number == ENOTDIR || error_number == ESTALE;
}

// Nothing that a claim would have made: a link, a socket, a file of somebody else.
bool is_foreign(int error_number) {
    return error_number == ELOOP || error_number == ENXIO || error_number == EACCES ||
           error_number == EISDIR;
}

}  // namespace

std::uint64_t LeaseGenerations::next() const {
    auto number = highest() + 1;
    while (std::ranges::binary_search(others, number))
        ++number;
    return number;
}

LeaseFiles::LeaseFiles(fs::path folder, std::string name)
    : folder_{folder.empty() ? "." : std::move(folder)}, name_{std::move(name)} {}

fs::path LeaseFiles::path_of(std::uint64_t generation) const {
    return folder_ / (name_ + "." + std::to_string(generation));
}

Fd LeaseFiles::open_folder() const {
    return open_folder_beneath(folder_, Missing::fail);
}

Fd LeaseFiles::open_file(const Fd& folder, std::uint64_t generation, int flags) const {
    return Fd{::openat(folder.get(), path_of(generation).filename().c_str(),
                       flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600)};
}

LeaseGenerations LeaseFiles::list() const {
    for (int look = 1;; ++look) {
        LeaseGenerations found;
        const Fd folder = open_folder();
        if (!folder && (errno == ENOENT || errno == ENOTDIR)) return {};
        if (folder) ask_server(folder);
        if (folder && list_into(found, folder, name_)) {
            std::ranges::sort(found.own);
            std::ranges::sort(found.others);
            return found;
        }
        if (errno != ESTALE || look == most_looks)
            throw system_error("cannot list " + folder_.string(), errno);
    }
}

LeaseSight LeaseFiles::look() const {
    for (int look = 1;; ++look) {
        LeaseSight sight{.generations = list(), .text = std::nullopt};
        const auto highest = sight.generations.highest();
        if (highest == 0) return sight;
        sight.text = read(highest);
        if (sight.text || look == most_looks) return sight;
    }
}

std::optional<std::string> LeaseFiles::read(std::uint64_t generation) const {
    const auto failed = [&] {
        return system_error("cannot read " + path_of(generation).string(), errno);
    };
    const Fd folder = open_folder();
    const Fd file = folder ? open_file(folder, generation, O_RDONLY) : Fd{};
    if (!file && is_absent(errno)) return std::nullopt;
    if (!file && folder && is_foreign(errno)) return "";
    if (!file) throw failed();
    if (!reason_to_distrust_file(file.get(), folder.get()).empty()) return "";
    auto text = text_in(file.get());
    if (!text && errno != ESTALE) throw failed();
    return text;
}

LeaseFiles::Created LeaseFiles::create(std::uint64_t generation, std::string_view text) const {
    const auto path = path_of(generation);
    const Fd folder = open_folder();
    Fd file = folder ? open_file(folder, generation, O_WRONLY | O_CREAT | O_EXCL) : Fd{};
    if (!file && folder && (errno == EEXIST || errno == ESTALE)) return Created::taken;
    if (!file && folder && errno == EPERM) return Created::refused;
    if (!file) throw system_error("cannot create " + path.string(), errno);
    try {
        write_at_start(file, text, path);
        close_written(std::move(file), path);
    } catch (const Error&) {
        remove(generation);  // nobody has had it
        throw;
    }
    return Created::yes;
}

LeaseFiles::Rewritten LeaseFiles::rewrite(std::uint64_t generation, std::string_view line,
                                          std::string_view identity) const {
    const auto path = path_of(generation);
    const Fd folder = open_folder();
    Fd file = folder ? open_file(folder, generation, O_RDWR) : Fd{};
    if (!file && (is_absent(errno) || is_foreign(errno))) return Rewritten::gone;
    if (!file) throw system_error("cannot open " + path.string(), errno);
    // After a chmod of all that is there nobody would believe it any more.
    struct stat status {};
    if (::fstat(file.get(), &status) == 0 && is_open_to_others(status) &&
        is_own(status.st_uid, folder.get()))
        static_cast<void>(::fchmod(file.get(), 0600));
    if (!reason_to_distrust_file(file.get(), folder.get()).empty()) return Rewritten::gone;
    const auto text = text_in(file.get());
    if (!text && errno == ESTALE) return Rewritten::gone;
    if (!text) throw system_error("cannot read " + path.string(), errno);
    if (text->size() < line.size() || text->substr(line.size()) != identity)
        return Rewritten::another;
    write_at_start(file, line, path);
    close_written(std::move(file), path);
    return Rewritten::yes;
}

void LeaseFiles::remove(std::uint64_t generation) const {
    try {
        const Fd folder = open_folder();
        if (folder) ::unlinkat(folder.get(), path_of(generation).filename().c_str(), 0);
    } catch (const Error&) {
        // The way there leads through somebody's link by now.
    }
}

}  // namespace podctl

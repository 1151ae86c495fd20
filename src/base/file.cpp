#include "podctl/base/file.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/wait.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <span>

namespace podctl {

namespace fs = std::filesystem;

namespace {

// The hidden name of an AtomicFile: .<name>.podctl-<six letters of mkostemp>.
constexpr std::string_view partial_mark = ".podctl-";

// Room for the rest of the name within NAME_MAX.
std::string shortened(const std::string& name) {
    return name.substr(0, 255 - 16);
}

bool is_absence(int error_number) {
    return error_number == ENOENT || error_number == ENOTDIR;
}

// Network file systems and FUSE may know no fsync.
bool cannot_sync(int error_number) {
    return error_number == EINVAL || error_number == ENOSYS || error_number == EOPNOTSUPP;
}

// Nothing that is read as a whole is as large: a hole of a terabyte in a file that somebody has put
// there must cost no memory, and what has no end has to end.
constexpr std::size_t most_of_a_file = 256u << 20, most_of_a_stream = 64u << 20;
// For somebody who opens the other end of a pipe, and for bytes from one who has.
constexpr std::chrono::milliseconds writer_patience{1'000}, byte_patience{60'000};

// Reads what has no size from an open descriptor that does not block: a pipe, a terminal, a device.
class Stream {
public:
    Stream(int fd, const fs::path& path, bool is_pipe)
        : fd_{fd}, path_{path}, waits_for_writer_{is_pipe} {}

    // How many bytes came; 0: the end.
    std::size_t read(std::span<char> block) {
        while (true) {
            const ssize_t size = ::read(fd_, block.data(), block.size());
            if (size < 0 && errno == EINTR) continue;
            if (size < 0 && errno != EAGAIN)
                throw system_error("cannot read " + path_.string(), errno);
            // As long as nobody has opened the other end, it reads as if it had ended.
            if (size >= 0 && !(size == 0 && waits_for_writer_)) {
                waits_for_writer_ = false;
                last_byte_ = Clock::now();
                return static_cast<std::size_t>(size);
            }
            wait(size == 0);
        }
    }

private:
    using Clock = std::chrono::steady_clock;

    void wait(bool without_writer) {
        if (Clock::now() - last_byte_ > (without_writer ? writer_patience : byte_patience))
            throw Error{ErrorKind::io,
                        path_.string() + (without_writer ? " is a pipe that nobody writes into"
                                                         : ": no byte came for a minute"),
                        "name a file"};
        std::array ready{Awaited{.fd = fd_}};
        // Bytes, or the end: there was a writer, who has gone.
        const auto wait = without_writer ? std::chrono::milliseconds{10} : std::chrono::seconds{1};
        if (wait_for_any(ready, Clock::now() + wait)) waits_for_writer_ = false;
    }

    const int fd_;
    const fs::path& path_;
    bool waits_for_writer_;
    Clock::time_point last_byte_ = Clock::now();
};

// `fd` is open without blocking.
std::string read_all(int fd, const fs::path& path) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) throw system_error("cannot read " + path.string(), errno);
    const bool is_file = S_ISREG(status.st_mode);
    const std::size_t most = is_file ? most_of_a_file : most_of_a_stream;
    const auto too_large = [&] {
        return Error{ErrorKind::io,
                     path.string() + (is_file ? " is larger than 256 MiB"
                                              : " gives more than 64 MiB, if it ends at all"),
                     "is it the right file?"};
    };
    std::string content;
    // /proc says size 0 for files that are not empty, so the size is a hint only.
    if (is_file) {
        if (static_cast<std::uint64_t>(status.st_size) > most) throw too_large();
        content.reserve(static_cast<std::size_t>(status.st_size));
    }
    Stream stream{fd, path, S_ISFIFO(status.st_mode)};
    std::array<char, 64u << 10> block;
    while (const std::size_t size = stream.read(block)) {
        content.append(block.data(), size);
        if (content.size() > most) throw too_large();
    }
    return content;
}

// Throws Error{io} that begins with `what`.
Place require_place(const fs::path& path, Missing missing, const std::string& what) {
    Place place = place_beneath(path, missing);
    if (!place.folder) throw system_error(what, errno);
    return place;
}

void sync_open_folder(int folder, const fs::path& path) {
    const Fd fd{::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!fd && errno == EACCES) return;  // one may write to a folder that one may not read
    if (!fd) throw system_error("cannot open " + path.string(), errno);
    if (::fsync(fd.get()) != 0 && !cannot_sync(errno))
        throw system_error("cannot sync " + path.string(), errno);
}

}  // namespace

fs::path nearest_existing(fs::path path) {
    path = fs::absolute(path.empty() ? "." : path);
    std::error_code ignored;
    while (!fs::exists(path, ignored) && path != path.parent_path())
        path = path.parent_path();
    return path;
}

fs::path normal_path(const fs::path& path) {
    fs::path whole = fs::absolute(path.empty() ? "." : path).lexically_normal();
    return whole.has_filename() ? whole : whole.parent_path();
}

std::optional<FileStamp> file_stamp(const fs::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        if (is_absence(errno) || errno == ELOOP || errno == ENAMETOOLONG) return std::nullopt;
        throw system_error("cannot look at " + path.string(), errno);
    }
    if (!S_ISREG(status.st_mode)) return std::nullopt;
    return FileStamp{
        .size = static_cast<std::uint64_t>(status.st_size),
        .mtime_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

std::string read_stdin(std::size_t most) {
    std::string text;
    std::array<char, 64u << 10> block;
    while (text.size() <= most) {
        const auto size = ::read(STDIN_FILENO, block.data(), block.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) throw system_error("cannot read stdin", errno);
        if (size == 0) break;
        text.append(block.data(), static_cast<std::size_t>(size));
    }
    return text;
}

std::optional<std::string> read_file_if_exists(const fs::path& path) {
    // Without O_NONBLOCK, to open a pipe is to wait for its writer.
    const Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (!fd && is_absence(errno)) return std::nullopt;
    if (!fd) throw system_error("cannot open " + path.string(), errno);
    struct stat status {};
    if (::fstat(fd.get(), &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISBLK(status.st_mode)))
        throw Error{ErrorKind::io,
                    path.string() + (S_ISFIFO(status.st_mode) ? " is a pipe, no file"
                                                              : " is a device, no file"),
                    "remove it"};
    return read_all(fd.get(), path);
}

std::string read_file(const fs::path& path) {
    // A pipe may be meant (a shell's <(command)), but nobody is waited for who never comes.
    const Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (!fd && is_absence(errno))
        throw Error{ErrorKind::not_found, path.string() + " does not exist"};
    if (!fd) throw system_error("cannot open " + path.string(), errno);
    return read_all(fd.get(), path);
}

Fd open_regular_file(const fs::path& path) {
    // Without O_NONBLOCK, to open a pipe is to wait for its writer.
    Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0)
        throw system_error("cannot open " + path.string(), errno);
    if (!S_ISREG(status.st_mode))
        throw Error{ErrorKind::io, path.string() + " is no regular file", "remove it"};
    return fd;
}

void remove_abandoned(const fs::path& folder, const std::string& name) {
    const Fd opened = open_folder_beneath(folder, Missing::fail);
    if (!opened && is_absence(errno)) return;
    if (!opened) throw system_error("cannot read " + folder.string(), errno);
    std::error_code failed;
    for (fs::directory_iterator at{path_through(opened, "."), failed}, end; !failed && at != end;
         at.increment(failed)) {
        const std::string found = at->path().filename();
        const auto mark = found.rfind(partial_mark);
        const bool is_partial = found.starts_with('.') && mark != found.npos &&
                                found.size() == mark + partial_mark.size() + 6;
        if (!is_partial || (!name.empty() && found.substr(1, mark - 1) != shortened(name)))
            continue;
        if (at->symlink_status(failed).type() != fs::file_type::regular) continue;
        if (::unlinkat(opened.get(), found.c_str(), 0) != 0 && errno != ENOENT)
            throw system_error("cannot remove " + (folder / found).string(), errno);
    }
    if (failed && !is_absence(failed.value()))
        throw system_error("cannot read " + folder.string(), failed.value());
}

AtomicFile::AtomicFile(fs::path path) : path_{std::move(path)} {
    create_folders(path_.parent_path());
    const Place place = require_place(path_, Missing::fail, "cannot create " + path_.string());
    const std::string name =
        "." + shortened(path_.filename().string()) + std::string{partial_mark} + "XXXXXX";
    std::string partial = path_through(place.folder, name).string();
    fd_ = Fd{::mkostemp(partial.data(), O_CLOEXEC)};
    if (!fd_) throw system_error("cannot create " + path_.string(), errno);
    partial_ = path_.parent_path() / fs::path{partial}.filename();
    // mkostemp gives 0600. Where permissions cannot be changed there is nothing to lose.
    static_cast<void>(::fchmod(fd_.get(), 0644));
}

AtomicFile::~AtomicFile() {
    if (committed_) return;
    try {
        const Place place = place_beneath(partial_, Missing::fail);
        if (place.folder) ::unlinkat(place.folder.get(), place.name.c_str(), 0);
    } catch (const std::exception&) {
        // Somebody has put a link in the way: what stands behind it is not ours.
    }
}

void AtomicFile::write(std::string_view bytes) {
    write_all(fd_.get(), bytes, path_);
}

void AtomicFile::set_mode(unsigned mode) {
    if (::fchmod(fd_.get(), mode & 07777) != 0)
        throw system_error("cannot set the permissions of " + path_.string(), errno);
}

void AtomicFile::commit() {
    if (committed_) return;
    if (::fsync(fd_.get()) != 0 && !cannot_sync(errno))
        throw system_error("cannot write " + path_.string(), errno);
    // NFS may tell of a failed write no sooner than here.
    if (::close(fd_.release()) != 0 && errno != EINTR)
        throw system_error("cannot write " + path_.string(), errno);
    const Place place = require_place(path_, Missing::fail, "cannot write " + path_.string());
    if (::renameat(place.folder.get(), partial_.filename().c_str(), place.folder.get(),
                   place.name.c_str()) != 0)
        throw system_error("cannot write " + path_.string(), errno);
    committed_ = true;
    sync_open_folder(place.folder.get(), path_.parent_path());
}

void write_file_atomically(const fs::path& path, std::string_view content) {
    AtomicFile file{path};
    file.write(content);
    file.commit();
}

void write_all(int fd, std::string_view bytes, const fs::path& path) {
    while (!bytes.empty()) {
        const ssize_t size = ::write(fd, bytes.data(), bytes.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) throw system_error("cannot write " + path.string(), errno);
        bytes.remove_prefix(static_cast<std::size_t>(size));
    }
}

std::size_t read_at(int fd, std::uint64_t offset, std::span<char> buffer, const fs::path& path) {
    std::size_t have = 0;
    while (have < buffer.size()) {
        const auto got = ::pread(fd, buffer.data() + have, buffer.size() - have,
                                 static_cast<off_t>(offset + have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw system_error("cannot read " + path.string(), errno);
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    return have;
}

void sync_folder(const fs::path& folder) {
    const Fd fd = open_folder_beneath(folder, Missing::fail);
    if (!fd && errno == EACCES) return;
    if (!fd) throw system_error("cannot open " + folder.string(), errno);
    sync_open_folder(fd.get(), folder);
}

void create_folders(const fs::path& path) {
    if (path.empty()) return;
    if (!open_folder_beneath(path, Missing::make))
        throw system_error("cannot create the folder " + path.string(), errno);
}

void rename_durably(const fs::path& from, const fs::path& to) {
    const std::string what = "cannot rename " + from.string() + " to " + to.string();
    const Place source = require_place(from, Missing::fail, what);
    const Place target = require_place(to, Missing::fail, what);
    if (::renameat(source.folder.get(), source.name.c_str(), target.folder.get(),
                   target.name.c_str()) != 0)
        throw system_error(what, errno);
    sync_open_folder(target.folder.get(), to.parent_path());
}

std::uint64_t free_space(const fs::path& path) {
    const fs::path existing = nearest_existing(path);
    struct statvfs status {};
    if (::statvfs(existing.c_str(), &status) != 0)
        throw system_error("cannot ask for the free space of " + existing.string(), errno);
    return std::uint64_t{status.f_bavail} * status.f_frsize;
}

bool is_inside(const fs::path& path, const fs::path& folder) {
    const fs::path inner = normal_path(path);
    const fs::path outer = normal_path(folder);
    const auto [end, ignored] =
        std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
    return end == outer.end();
}

}  // namespace podctl

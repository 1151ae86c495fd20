#include "podctl/run/lock.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/printable.hpp"
#include "podctl/base/process_stat.hpp"
#include "podctl/base/trust.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <string_view>

namespace podctl::run {
namespace {

// A lock that others may open is one that they may hold, so it is this user's alone; one that is
// somebody else's is made anew.
Fd open_lock(const std::filesystem::path& path) {
    const Place place = place_beneath(path, Missing::fail);
    if (!place.folder) throw system_error("cannot open " + path.string(), errno);
    const auto open = [&](int more) {
        return Fd{::openat(place.folder.get(), place.name.c_str(),
                           O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | more, 0600)};
    };
    Fd lock = open(0);
    struct stat status {};
    const bool is_ours = lock && ::fstat(lock.get(), &status) == 0 && S_ISREG(status.st_mode) &&
                         is_own(status.st_uid, place.folder.get());
    if (!is_ours && (lock || errno == ELOOP || errno == EACCES || errno == ENXIO)) {
        if (::unlinkat(place.folder.get(), place.name.c_str(), 0) != 0 && errno != ENOENT)
            throw system_error("cannot replace " + path.string(), errno);
        lock = open(O_EXCL);
    }
    if (!lock) throw system_error("cannot open " + path.string(), errno);
    // Of an earlier version. Where permissions cannot be changed, they keep nobody out.
    static_cast<void>(::fchmod(lock.get(), 0600));
    return lock;
}

constexpr std::size_t most_of_holder = 512;

constexpr std::string_view for_life = "for life";

std::string text_of_this_process(FileLock::Until until) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return fmt::format("{}\n{}\n{}\n{}\n", ::getpid(), host_name(),
                       std::chrono::duration_cast<std::chrono::seconds>(now).count(),
                       until == FileLock::Until::its_end ? for_life : "");
}

// An earlier version wrote its process id alone.
LockHolder parse_holder(std::string_view text) {
    const auto lines = split(trim(text), '\n');
    const auto number_in = [&](std::size_t line) {
        std::int64_t number = 0;
        if (line < lines.size())
            std::from_chars(lines[line].data(), lines[line].data() + lines[line].size(), number);
        return number;
    };
    LockHolder holder;
    holder.pid = static_cast<int>(number_in(0));
    if (lines.size() > 1) holder.host = printable(lines[1], Lines::one);
    holder.since = std::chrono::system_clock::time_point{std::chrono::seconds{number_in(2)}};
    // Earlier versions held it for as long as they ran.
    holder.for_life = lines.size() < 2 || (lines.size() > 3 && lines[3] == for_life);
    return holder;
}

LockHolder holder_in(const Fd& lock, const std::filesystem::path& path) {
    std::array<char, most_of_holder> text{};
    const auto size = read_at(lock.get(), 0, text, path);
    return parse_holder({text.data(), size});
}

// A flock cannot be looked at without being taken, and whoever took it for a look would keep a
// holder out. So a holder has this lock of the open file, too, which can (F_OFD_GETLK).
struct flock whole_file() {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
}

Error held_by(const LockHolder& holder, const std::filesystem::path& root) {
    return {ErrorKind::locked, fmt::format("another {} holds {}", to_string(holder), root.string()),
            "wait until it ends, or stop it; --root names another root"};
}

}  // namespace

std::string to_string(const LockHolder& holder) {
    if (holder.pid == 0) return "podctl";
    if (holder.host.empty()) return fmt::format("podctl (pid {})", holder.pid);
    return fmt::format("podctl (pid {} on {}, since {:%H:%M:%S} UTC)", holder.pid, holder.host,
                       fmt::gmtime(std::chrono::system_clock::to_time_t(holder.since)));
}

std::optional<FileLock> FileLock::try_lock(const std::filesystem::path& path, Until until) {
    Fd file = open_lock(path);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return std::nullopt;
        throw system_error("cannot lock " + path.string(), errno);
    }
    auto visible = whole_file();
    static_cast<void>(::fcntl(file.get(), F_OFD_SETLK, &visible));
    // Only for people: the lock itself is what counts. Written over, and cut afterwards: a full
    // disk takes no name away.
    const auto text = text_of_this_process(until);
    const auto written = ::pwrite(file.get(), text.data(), text.size(), 0);
    if (written == static_cast<ssize_t>(text.size()))
        static_cast<void>(::ftruncate(file.get(), written));
    return FileLock{std::move(file)};
}

bool is_file_locked(const std::filesystem::path& path) {
    const Fd file = open_beneath(path, O_RDONLY);
    if (!file) return false;
    if (::flock(file.get(), LOCK_SH | LOCK_NB) == 0) return false;
    if (errno != EWOULDBLOCK) throw system_error("cannot lock " + path.string(), errno);
    return true;
}

std::optional<LockHolder> holder_of_file_lock(const std::filesystem::path& path) {
    const Fd file = open_beneath(path, O_RDONLY);
    auto seen = whole_file();
    if (!file || ::fcntl(file.get(), F_OFD_GETLK, &seen) != 0 || seen.l_type == F_UNLCK)
        return std::nullopt;
    return holder_in(file, path);
}

LockHolder last_holder_of_file_lock(const std::filesystem::path& path) {
    const Fd file = open_beneath(path, O_RDONLY);
    return file ? holder_in(file, path) : LockHolder{};
}

bool is_on_this_host(const LockHolder& holder) {
    return holder.host.empty() || holder.host == host_name();
}

PodLock::PodLock(const std::filesystem::path& path, const std::filesystem::path& root, For what) {
    const auto folder = path.parent_path();
    try {
        create_folders(folder);
    } catch (const Error& error) {
        throw Error{ErrorKind::preflight, error.message(), "name another place with --local"};
    }
    lock_ = FileLock::try_lock(path, FileLock::Until::its_end);
    if (!lock_) throw held_by(last_holder_of_file_lock(path), root);
    // Before the look: of two that got a lock file each, none misses the other.
    if (what == For::pod) announcement_.emplace(folder);
    // One whose lock file was taken away. Of this user alone: nobody else can keep podctl out.
    if (const auto other = OwnProcess::find_announced(folder))
        throw held_by({.pid = other->pid()}, root);
}

}  // namespace podctl::run

#include "partial_file.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/units.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace podctl::fetch {
namespace {

constexpr std::size_t block_size = 4 << 20;
constexpr std::size_t blocks_in_flight = 4;

}  // namespace

PartialFile::PartialFile(std::filesystem::path path) : path_(std::move(path)) {
    if (path_.has_parent_path()) create_folders(path_.parent_path());
    fd_ = Fd{::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644)};
    if (!fd_) throw system_error(fmt::format("opening {}", path_.string()), errno);
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0)
        throw system_error(fmt::format("opening {}", path_.string()), errno);
    if (!S_ISREG(status.st_mode))
        throw Error{ErrorKind::io, fmt::format("{}: not a regular file", path_.string()),
                    "move it away; partial downloads gather there"};
    // Some network volumes know no locks: then the root's own lock has to do.
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        throw Error{ErrorKind::locked,
                    fmt::format("{}: another podctl is fetching this file", path_.string()),
                    "wait for it, or stop it"};
    size_ = static_cast<std::uint64_t>(status.st_size);
    ::lseek(fd_.get(), 0, SEEK_END);
    writer_ = std::jthread([this](std::stop_token stop) { write_blocks(std::move(stop)); });
}

PartialFile::~PartialFile() {
    writer_.request_stop();
    writer_.join();
}

void PartialFile::rehash(std::stop_token stop) {
    std::vector<char> buffer(block_size);
    std::uint64_t offset = 0;
    while (offset < size_) {
        if (stop.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
        const auto got =
            ::pread(fd_.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw system_error(fmt::format("reading {}", path_.string()), errno);
        if (got == 0)
            throw Error{ErrorKind::io, fmt::format("{}: shrank meanwhile", path_.string())};
        digest_.update(buffer.data(), static_cast<std::size_t>(got));
        offset += static_cast<std::uint64_t>(got);
    }
}

void PartialFile::restart() {
    flush();
    if (::ftruncate(fd_.get(), 0) != 0 || ::lseek(fd_.get(), 0, SEEK_SET) != 0)
        throw system_error(fmt::format("truncating {}", path_.string()), errno);
    digest_ = Sha256{};
    size_ = 0;
}

void PartialFile::reserve(std::uint64_t total) {
    if (total <= size_) return;
    struct stat status {};
    ::fstat(fd_.get(), &status);
    // What an earlier call reserved is taken already.
    const auto taken = std::max(static_cast<std::uint64_t>(status.st_blocks) * 512, size_);
    const std::uint64_t wanted = total > taken ? total - taken : 0;
    const std::uint64_t free = free_space(path_);
    if (wanted > free)
        throw Error{ErrorKind::io,
                    fmt::format("{}: needs {} more, {} are free", path_.string(),
                                format_bytes({wanted}), format_bytes({free})),
                    "free space on the volume or use a larger one; what has come is kept"};
    // Not posix_fallocate: where the file system cannot reserve, it writes zeros.
    while (::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(total)) != 0) {
        if (errno == EINTR) continue;
        if (errno == ENOSPC) throw system_error(fmt::format("reserving {}", path_.string()), errno);
        return;
    }
}

bool PartialFile::has_room() {
    const std::scoped_lock lock(mutex_);
    return failure_ || queue_.size() < blocks_in_flight;
}

void PartialFile::append(const char* data, std::size_t size) {
    while (size > 0) {
        const std::size_t room = block_size - static_cast<std::size_t>(size_ % block_size);
        const std::size_t part = std::min(room, size);
        block_.append(data, part);
        size_ += part;
        data += part;
        size -= part;
        if (part == room) hand_over();
    }
}

void PartialFile::hand_over() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return failure_ || queue_.size() < blocks_in_flight; });
    rethrow_failure();
    queue_.push_back(std::move(block_));
    block_.clear();
    if (!spare_.empty()) {
        block_ = std::move(spare_.back());
        spare_.pop_back();
    }
    changed_.notify_all();
}

void PartialFile::rethrow_failure() {
    if (failure_) std::rethrow_exception(failure_);
}

void PartialFile::flush() {
    if (!block_.empty()) hand_over();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return failure_ || (queue_.empty() && !writing_); });
    rethrow_failure();
}

void PartialFile::write_blocks(std::stop_token stop) {
    while (true) {
        std::string block;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, stop, [&] { return !queue_.empty(); });
            if (queue_.empty() || failure_) return;
            block = std::move(queue_.front());
            queue_.pop_front();
            writing_ = true;
        }
        std::exception_ptr failure;
        try {
            write_all(fd_.get(), block, path_);
            digest_.update(block);
        } catch (...) {
            failure = std::current_exception();
        }
        block.clear();
        const std::scoped_lock lock(mutex_);
        writing_ = false;
        failure_ = failure;
        spare_.push_back(std::move(block));
        changed_.notify_all();
        if (failure) return;
    }
}

std::string PartialFile::finish() {
    flush();
    if (::fsync(fd_.get()) != 0 && errno != EINVAL)
        throw system_error(fmt::format("syncing {}", path_.string()), errno);
    return digest_.finish();
}

bool PartialFile::is_same_file(int fd) const {
    struct stat mine {
    }, other{};
    return ::fstat(fd_.get(), &mine) == 0 && ::fstat(fd, &other) == 0 &&
           mine.st_dev == other.st_dev && mine.st_ino == other.st_ino;
}

}  // namespace podctl::fetch

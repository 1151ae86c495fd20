#include "podctl/base/read_ahead.hpp"

#include "podctl/base/fd.hpp"
#include "podctl/base/thread.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace podctl {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t read_at_once = 1u << 20;

}  // namespace

ReadAhead::~ReadAhead() {
    if (thread_) thread_->request_stop();
}

void ReadAhead::add(std::span<const fs::path> files) {
    if (files.empty()) return;
    const std::scoped_lock lock{mutex_};
    waiting_.insert(waiting_.end(), files.begin(), files.end());
    if (thread_) return changed_.notify_all();
    thread_ = start_thread([this](const std::stop_token& stop) { read_all(stop); },
                           [this](const std::exception_ptr&) {
                               const std::scoped_lock failed{mutex_};
                               waiting_.clear();
                               is_reading_ = false;
                               changed_.notify_all();
                           });
}

std::uint64_t ReadAhead::wait() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return waiting_.empty() && !is_reading_; });
    return done_;
}

void ReadAhead::read_all(const std::stop_token& stop) {
    give_way_to_others();
    std::unique_lock lock{mutex_};
    while (changed_.wait(lock, stop, [&] { return !waiting_.empty(); })) {
        const auto file = std::move(waiting_.front());
        waiting_.pop_front();
        is_reading_ = true;
        lock.unlock();
        read(file, stop);
        lock.lock();
        is_reading_ = false;
        changed_.notify_all();
    }
}

void ReadAhead::read(const fs::path& file, const std::stop_token& stop) {
    // A FIFO would wait for its writer.
    const Fd opened{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat status {};
    if (!opened || ::fstat(opened.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
    const FileIdentity identity{.device = status.st_dev, .inode = status.st_ino};
    if (!room_->take(identity, static_cast<std::uint64_t>(status.st_size))) return;
    ::posix_fadvise(opened.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    // Reading is what paces itself: of what posix_fadvise(2) is told will be needed, a file system
    // reads as much as it likes, or nothing.
    std::vector<char> block(read_at_once);
    std::uint64_t done = 0;
    while (!stop.stop_requested()) {
        const auto got = ::read(opened.get(), block.data(), block.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        done += static_cast<std::uint64_t>(got);
    }
    const std::scoped_lock lock{mutex_};
    done_ += done;
}

}  // namespace podctl

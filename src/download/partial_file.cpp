#include "partial_file.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/thread.hpp"
#include "podctl/base/units.hpp"

#include "open_partial.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace podctl::download {
namespace {

using namespace std::chrono_literals;

// Network volumes are a hundred times slower with small writes, so blocks that have gathered go
// out together.
constexpr std::size_t max_run = 8 << 20;
// A local file system takes huge pages for larger ones. In a virtual machine that gives free memory
// back to its host those are the ones that are gone: 2 GiB cost 4 s instead of one.
constexpr std::size_t max_cached_write = 256 << 10;
// What a killed process has to fetch again, against a line in the control file each time: after
// every write, unless such a line takes its time, as on a network volume.
constexpr auto record_interval = 50ms;
constexpr auto quick_record = 1ms;
// What a machine that dies has to fetch again, against a wait for the disk each time.
constexpr auto sync_interval = 5s;

std::uint64_t size_of(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

long file_system_of(int fd) {
    struct statfs status {};
    return ::fstatfs(fd, &status) == 0 ? static_cast<long>(status.f_type) : 0;
}

constexpr long ext4 = 0xEF53, xfs = 0x58465342, overlay = 0x794C7630, f2fs = 0xF2F52010L;
constexpr long tmpfs = 0x01021994, btrfs = 0x9123683EL, zfs = 0x2FC12FC1;

// Local file systems on which a write that bypasses the page cache saves a copy and the eviction of
// other pages, where there is no room in it for the file. Over a network the page cache is what
// makes large requests of it.
bool is_quick_past_the_cache(int fd) {
    const long type = file_system_of(fd);
    return type == ext4 || type == xfs || type == overlay || type == f2fs;
}

SeenBy seen_by(int fd) {
    const long type = file_system_of(fd);
    const bool is_local =
        is_quick_past_the_cache(fd) || type == tmpfs || type == btrfs || type == zfs;
    return is_local ? SeenBy::this_machine : SeenBy::others_too;
}

std::uint64_t aligned_up(std::uint64_t offset) {
    return PartialFile::aligned_down(offset + PartialFile::alignment - 1);
}

}  // namespace

PartialFile::PartialFile(std::filesystem::path path, BlockPool& pool, const std::stop_token& stop)
    : path_(std::move(path)),
      fd_(open_partial(path_)),
      lease_(hold_partial(fd_, path_, seen_by(fd_.get()), stop)),
      read_fd_(reopen(fd_, O_RDONLY)),
      found_size_(size_of(fd_.get())),
      direct_pays_(pool.block_size() % alignment == 0 && is_quick_past_the_cache(fd_.get())),
      control_(path_) {
    if (!read_fd_) throw system_error(fmt::format("opening {}", path_.string()), errno);
    const auto on_failure = [this](std::exception_ptr failure) { fail(std::move(failure)); };
    writer_ = start_thread([this](const std::stop_token& end) { write_blocks(end); }, on_failure);
    hasher_ = start_thread([this](const std::stop_token& end) { hash_front(end); }, on_failure);
}

PartialFile::~PartialFile() {
    writer_.request_stop();
    hasher_.request_stop();
    writer_.join();
    hasher_.join();
}

void PartialFile::take_over(const RangeSet& have) {
    RangeSet usable;
    for (const auto& span : have.spans()) {
        const std::uint64_t end = std::min(span.end, found_size_);
        // The file's last bytes need not end at a whole part.
        usable.add({aligned_up(span.begin), end == found_size_ ? end : aligned_down(end)});
    }
    const std::scoped_lock lock(mutex_);
    written_ = usable;
    changed_.notify_all();
}

void PartialFile::restart() {
    flush();
    std::unique_lock lock(mutex_);
    written_ = {};
    changed_.wait(lock, [&] { return failure_ || hashing_until_ == hashed_; });
    rethrow_failure();
    // First the record, then the bytes: bytes without a record are worth nothing, a record of other
    // bytes is a lie.
    ControlFile::remove(path_);
    if (::ftruncate(fd_.get(), 0) != 0)
        throw system_error(fmt::format("truncating {}", path_.string()), errno);
    unhashed_.clear();
    hashed_ = hashing_until_ = 0;
    digest_ = Sha256{};
    validators_.reset();
    validators_changed_ = true;
    changed_.notify_all();
}

void PartialFile::describe(const Validators& validators) {
    const std::scoped_lock lock(mutex_);
    if (validators_ == validators) return;
    validators_ = validators;
    validators_changed_ = true;
}

void PartialFile::reserve(std::uint64_t total) {
    struct stat status {};
    ::fstat(fd_.get(), &status);
    // What an earlier call reserved is taken already.
    const auto taken = static_cast<std::uint64_t>(status.st_blocks) * 512;
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

void PartialFile::write(Block block, std::uint64_t offset, std::size_t size) {
    if (size == 0) return;
    auto filled = std::make_shared<Filled>(Filled{std::move(block), offset, size});
    const std::scoped_lock lock(mutex_);
    const std::uint64_t chain_end =
        unhashed_.empty() ? hashing_until_ : unhashed_.rbegin()->second->end();
    if (offset == chain_end) unhashed_[offset] = filled;
    unwritten_[offset] = std::move(filled);
    changed_.notify_all();
}

void PartialFile::check() {
    if (lease_) lease_->check();
    const std::scoped_lock lock(mutex_);
    rethrow_failure();
}

void PartialFile::rethrow_failure() {
    if (failure_) std::rethrow_exception(failure_);
}

void PartialFile::fail(std::exception_ptr failure) {
    const std::scoped_lock lock(mutex_);
    if (!failure_) failure_ = std::move(failure);
    // Memory goes back to those that can use it.
    unwritten_.clear();
    unhashed_.clear();
    changed_.notify_all();
}

void PartialFile::flush() {
    std::unique_lock lock(mutex_);
    ++flushes_;
    changed_.notify_all();
    changed_.wait(lock, [&] {
        return failure_ || (unwritten_.empty() && writing_.empty() && unrecorded_.empty());
    });
    --flushes_;
    rethrow_failure();
}

bool PartialFile::keeps_up() {
    const std::scoped_lock lock(mutex_);
    return unwritten_.empty();
}

RangeSet PartialFile::have() {
    const std::scoped_lock lock(mutex_);
    return written_;
}

PartialFile::Run PartialFile::next_run() {
    Run run;
    std::size_t size = 0;
    for (auto it = unwritten_.begin(); it != unwritten_.end() && size < max_run;) {
        if (!run.empty() && it->first != run.back()->end()) break;
        size += it->second->size;
        run.push_back(std::move(it->second));
        it = unwritten_.erase(it);
    }
    return run;
}

void PartialFile::write_blocks(const std::stop_token& stop) {
    while (wait_for_work(stop)) {
        if (!writing_.empty()) write_run(writing_);
        record();
        sync_now_and_then();
    }
}

// False: it is to end. What it found to write is in writing_.
bool PartialFile::wait_for_work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const auto has_work = [&] {
        return !unwritten_.empty() || (flushes_ > 0 && !unrecorded_.empty());
    };
    if (unrecorded_.empty())
        changed_.wait(lock, stop, has_work);
    else
        changed_.wait_until(lock, stop, next_record_, has_work);
    if (stop.stop_requested() || failure_) return false;
    writing_ = next_run();
    return true;
}

void PartialFile::write_run(const Run& run) {
    const ByteSpan span{run.front()->offset, run.back()->end()};
    const bool aligned = span.begin % alignment == 0 && span.size() % alignment == 0;
    const bool whole_parts = std::all_of(run.begin(), run.end() - 1, [](const auto& filled) {
        return filled->size % alignment == 0;
    });
    set_direct(direct_pays_ && !keeps_in_cache_ && !direct_refused_ && aligned && whole_parts &&
               order_ == Order::sequential);
    write_at(run);
    // Starts the disk early, so that the sync at the end has little left to do.
    if (!direct_)
        ::sync_file_range(fd_.get(), static_cast<off_t>(span.begin),
                          static_cast<off_t>(span.size()), SYNC_FILE_RANGE_WRITE);
    const std::scoped_lock lock(mutex_);
    written_.add(span);
    unrecorded_.add(span);
    writing_.clear();
    changed_.notify_all();
}

void PartialFile::set_direct(bool direct) {
    if (direct == direct_) return;
    const int flags = ::fcntl(fd_.get(), F_GETFL);
    const int wanted = direct ? flags | O_DIRECT : flags & ~O_DIRECT;
    if (::fcntl(fd_.get(), F_SETFL, wanted) == 0)
        direct_ = direct;
    else
        direct_refused_ = direct;
}

void PartialFile::write_at(const Run& run) {
    std::uint64_t offset = run.front()->offset;
    std::vector<iovec> parts;
    for (const auto& filled : run)
        parts.push_back({filled->block.data(), filled->size});
    for (std::size_t at = 0; at < parts.size();) {
        const auto count = static_cast<int>(std::min<std::size_t>(parts.size() - at, IOV_MAX));
        const iovec cached{parts[at].iov_base, std::min(parts[at].iov_len, max_cached_write)};
        const auto wrote =
            direct_pays_ && !direct_
                ? ::pwritev(fd_.get(), &cached, 1, static_cast<off_t>(offset))
                : ::pwritev(fd_.get(), parts.data() + at, count, static_cast<off_t>(offset));
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0 && errno == EINVAL && direct_) {
            // The file system took the flag and does not take the write.
            direct_refused_ = true;
            set_direct(false);
            continue;
        }
        if (wrote < 0 || (wrote == 0 && parts[at].iov_len > 0))
            throw system_error(fmt::format("writing {}", path_.string()),
                               wrote < 0 ? errno : ENOSPC);
        offset += static_cast<std::uint64_t>(wrote);
        // After a short write the rest need not be aligned.
        if (static_cast<std::size_t>(wrote) % alignment != 0) set_direct(false);
        auto left = static_cast<std::size_t>(wrote);
        while (at < parts.size() && left >= parts[at].iov_len)
            left -= parts[at++].iov_len;
        if (at == parts.size()) break;
        parts[at].iov_base = static_cast<char*>(parts[at].iov_base) + left;
        parts[at].iov_len -= left;
    }
}

void PartialFile::record() {
    const auto started = Clock::now();
    RangeSet written;
    std::optional<ControlFile::Content> fresh;
    bool described = false;
    {
        const std::scoped_lock lock(mutex_);
        if (unrecorded_.empty() || (started < next_record_ && flushes_ == 0)) return;
        written = unrecorded_;
        described = validators_.has_value();
        if (described && (validators_changed_ || !control_.started()))
            fresh = ControlFile::Content{*validators_, written_};
        if (!described && validators_changed_) control_.close();
        validators_changed_ = false;
    }
    if (fresh)
        control_.start(*fresh);
    else if (described)
        control_.add(written);
    const auto now = Clock::now();
    const std::scoped_lock lock(mutex_);
    // Only this thread adds to it.
    unrecorded_ = {};
    next_record_ = now - started > quick_record ? now + record_interval : now;
    changed_.notify_all();
}

void PartialFile::sync_now_and_then() {
    if (Clock::now() - last_sync_ < sync_interval) return;
    if (::fdatasync(fd_.get()) != 0 && errno != EINVAL)
        throw system_error(fmt::format("syncing {}", path_.string()), errno);
    control_.synced();
    last_sync_ = Clock::now();
}

std::string PartialFile::finish(std::uint64_t size, std::stop_token stop) {
    flush();
    check();
    if (have().end_of_run(0) != size)
        throw Error{ErrorKind::internal, fmt::format("{}: has holes", path_.string())};
    if (size_of(fd_.get()) != size && ::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0)
        throw system_error(fmt::format("truncating {}", path_.string()), errno);
    static_cast<void>(::fchmod(fd_.get(), 0644 & ~current_umask()));
    if (::fsync(fd_.get()) != 0 && errno != EINVAL)
        throw system_error(fmt::format("syncing {}", path_.string()), errno);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop, [&] { return failure_ || hashed_ >= size; });
    rethrow_failure();
    if (hashed_ < size) throw Error{ErrorKind::interrupted, "stopped"};
    auto digest = digest_.finish();
    lock.unlock();
    if (lease_) lease_->confirm();
    return digest;
}

FileIdentity PartialFile::identity() const {
    struct stat mine {};
    if (::fstat(fd_.get(), &mine) != 0)
        throw system_error(fmt::format("looking at {}", path_.string()), errno);
    return {.device = mine.st_dev, .inode = mine.st_ino};
}

bool PartialFile::is_same_file(int fd) const {
    struct stat mine {
    }, other{};
    return ::fstat(fd_.get(), &mine) == 0 && ::fstat(fd, &other) == 0 &&
           mine.st_dev == other.st_dev && mine.st_ino == other.st_ino;
}

}  // namespace podctl::download

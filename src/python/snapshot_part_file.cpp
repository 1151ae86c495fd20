#include "snapshot_part_file.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process_stat.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/base/thread.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view writing_ending = ".packing";

// libarchive asks for more in between. What a block inflates to has no other bound: zstd makes
// 128 KiB of four bytes.
constexpr std::size_t most_given = 4u << 10;

// Numbers of processes say nothing on another machine, after another boot or in another container.
std::string number_space() {
    const auto numbers = pid_namespace();
    return numbers.empty() ? "" : sha256_hex(boot_id() + numbers).substr(0, 16);
}

// .<number space>.<pid>.<its start>.<number>.packing
std::string name_of_own() {
    static std::atomic<unsigned> number = 0;
    const auto self = read_process(::getpid());
    return fmt::format(".{}.{}.{}.{}{}", number_space(), ::getpid(), self ? self->start_time : 0,
                       ++number, writing_ending);
}

void write_back_and_sync(int file, const fs::path& path) {
    const bool synced =
        ::fsync(file) == 0 || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
    if (!synced) throw system_error("cannot write " + path.string(), errno);
}

}  // namespace

bool is_unfinished_part(const std::string& name) {
    return name.starts_with('.') && name.ends_with(writing_ending);
}

bool is_abandoned_part(const std::string& name) {
    const auto fields = split(name, '.');
    if (!is_unfinished_part(name) || fields.size() != 6 || fields[1] != number_space())
        return false;
    pid_t pid = 0;
    std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), pid);
    const auto process = pid > 0 ? read_process(pid) : std::nullopt;
    return !process || std::to_string(process->start_time) != fields[3];
}

Error unusable_part(const fs::path& path, const std::string& what) {
    return Error{ErrorKind::integrity, fmt::format("{}: {}", shorten_middle(path.string()), what),
                 fmt::format("remove it, and the environment is built anew by its installer: rm {}",
                             shorten_middle(path.string()))};
}

PartWriter::PartWriter(const fs::path& folder, Together& together)
    : folder_(folder), path_(folder / name_of_own()), together_(together) {
    // Read by this user alone, as the manifest.
    file_ = open_beneath(path_, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!file_) throw system_error("cannot create " + path_.string(), errno);
    thread_ = start_thread([this](const std::stop_token&) { work(); },
                           [this](const std::exception_ptr& failure) { together_.fail(failure); });
}

PartWriter::~PartWriter() {
    queue_.close();
    if (thread_.joinable()) thread_.join();
    if (path_.empty()) return;
    try {
        remove_tree(path_);
    } catch (const std::exception&) {
        // prune_snapshots() finds it.
    }
}

void PartWriter::work() {
    while (auto chunk = queue_.pop(together_.token())) {
        digest_.update(chunk->view());
        write_all(file_.get(), chunk->view(), path_);
        written_ += chunk->size;
        together_.chunks().give_back(std::move(*chunk));
    }
}

bool PartWriter::pass_on() {
    if (gathered_.size == 0) return true;
    return queue_.push(std::exchange(gathered_, together_.chunks().take()), together_.token());
}

bool PartWriter::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto size = std::min(bytes.size(), chunk_size - gathered_.size);
        std::memcpy(gathered_.bytes.get() + gathered_.size, bytes.data(), size);
        gathered_.size += size;
        bytes.remove_prefix(size);
        if (gathered_.size == chunk_size && !pass_on()) return false;
    }
    return true;
}

void PartWriter::finish(Snapshot::Part& part) {
    pass_on();
    queue_.close();
    thread_.join();
    together_.rethrow();
    if (together_.token().stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
    write_back_and_sync(file_.get(), path_);
    // A network file system may tell of a failed write no sooner than here.
    if (::close(file_.release()) != 0 && errno != EINTR)
        throw system_error("cannot write " + path_.string(), errno);
    part.sha256 = digest_.finish();
    part.packed = written_;
}

void PartWriter::publish(const Snapshot::Part& part) {
    rename_durably(path_, folder_ / part.file());
    path_.clear();
}

PartReader::PartReader(const fs::path& path, const Snapshot::Part& part, Together& together,
                       std::function<void(std::uint64_t)> on_bytes)
    : path_(path), part_(part), together_(together), on_bytes_(std::move(on_bytes)) {
    thread_ = start_thread(
        [this](const std::stop_token&) {
            work();
            queue_.close();
        },
        [this](const std::exception_ptr& failure) {
            together_.fail(failure);
            queue_.close();
        });
}

PartReader::~PartReader() {
    // Whoever leaves it with bytes to come has failed, and waits for nothing more of it.
    queue_.close();
}

void PartReader::work() {
    const Fd file{::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    struct stat status {};
    if (!file && (errno == ENOENT || errno == ELOOP)) throw unusable_part(path_, "is not there");
    if (!file || ::fstat(file.get(), &status) != 0)
        throw system_error("cannot open " + path_.string(), errno);
    if (!S_ISREG(status.st_mode)) throw unusable_part(path_, "is no file");
    if (static_cast<std::uint64_t>(status.st_size) != part_.packed)
        throw unusable_part(path_, fmt::format("has {} bytes in place of {}: it is torn",
                                               status.st_size, part_.packed));
    ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    Sha256 digest;
    for (std::uint64_t at = 0; at < part_.packed;) {
        Chunk chunk = together_.chunks().take();
        const auto wanted = std::min<std::uint64_t>(chunk_size, part_.packed - at);
        chunk.size = read_at(file.get(), at, {chunk.bytes.get(), wanted}, path_);
        if (chunk.size == 0) throw unusable_part(path_, "became shorter while it was read");
        at += chunk.size;
        digest.update(chunk.view());
        on_bytes_(chunk.size);
        if (!queue_.push(std::move(chunk), together_.token())) return;
    }
    const std::string sha256 = digest.finish();
    if (sha256 != part_.sha256)
        throw unusable_part(path_, fmt::format("its sha256 is {}: it was changed", sha256));
}

std::string_view PartReader::next() {
    if (given_ == current_.size) {
        auto chunk = queue_.pop(together_.token());
        if (!chunk) return {};
        if (current_.bytes) together_.chunks().give_back(std::move(current_));
        current_ = std::move(*chunk);
        given_ = 0;
    }
    const auto bytes = current_.view().substr(given_, most_given);
    given_ += bytes.size();
    return bytes;
}

void PartReader::drain() {
    while (queue_.pop(together_.token()))
        continue;
    thread_.join();
}

}  // namespace podctl::python

// The thread that follows the file's front with the digest.
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "partial_file.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace podctl::download {
namespace {

constexpr std::size_t hash_chunk = 128 << 10;  // of each file that is under way

}  // namespace

std::shared_ptr<PartialFile::Filled> PartialFile::block_at_front() {
    for (const auto* blocks : {&unhashed_, &unwritten_})
        if (const auto found = blocks->find(hashed_); found != blocks->end()) return found->second;
    const auto found = std::ranges::find_if(
        writing_, [&](const auto& filled) { return filled && filled->offset == hashed_; });
    return found != writing_.end() ? *found : nullptr;
}

void PartialFile::hash_front(const std::stop_token& stop) {
    std::vector<char> buffer;
    std::unique_lock lock(mutex_);
    while (true) {
        std::shared_ptr<Filled> block;
        std::uint64_t end = 0;
        changed_.wait(lock, stop, [&] {
            block = block_at_front();
            end = written_.end_of_run(hashed_);
            return block || end > hashed_;
        });
        if (stop.stop_requested() || failure_) return;
        hashing_until_ = block ? block->end() : std::min(end, hashed_ + hash_chunk);
        end = hashing_until_;
        lock.unlock();
        if (block)
            digest_.update(block->block.data(), block->size);
        else
            hash_from_file(end, buffer);
        lock.lock();
        unhashed_.erase(hashed_);
        block.reset();
        hashed_ = end;
        changed_.notify_all();
    }
}

void PartialFile::hash_from_file(std::uint64_t end, std::vector<char>& buffer) {
    buffer.resize(static_cast<std::size_t>(end - hashed_));
    if (read_at(read_fd_.get(), hashed_, buffer, path_) < buffer.size())
        throw Error{ErrorKind::io, fmt::format("{}: shrank meanwhile", path_.string())};
    digest_.update(buffer.data(), buffer.size());
}

}  // namespace podctl::download

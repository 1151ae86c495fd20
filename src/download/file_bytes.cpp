#include "file_bytes.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace podctl::download {
namespace {

constexpr std::size_t window_size = 64u << 10;

}  // namespace

FileBytes::FileBytes(const std::filesystem::path& path)
    : FileBytes(open_regular_file(path), path) {}

FileBytes::FileBytes(Fd fd, std::filesystem::path path)
    : fd_(std::move(fd)), path_(std::move(path)) {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0)
        throw system_error(fmt::format("opening {}", path_.string()), errno);
    size_ = static_cast<std::uint64_t>(status.st_size);
}

std::string_view FileBytes::part(std::uint64_t offset, std::size_t size) const {
    if (offset >= size_) return {};
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, size_ - offset));
    const bool is_there = offset >= begin_ && offset - begin_ <= window_.size() &&
                          size <= window_.size() - (offset - begin_);
    if (!is_there) {
        window_.resize(std::max(size, window_size));
        begin_ = offset;
        window_.resize(read_at(fd_.get(), offset, window_, path_));
    }
    return std::string_view{window_}.substr(static_cast<std::size_t>(offset - begin_), size);
}

int FileBytes::byte(std::uint64_t offset) const {
    const auto found = part(offset, 1);
    return found.empty() ? -1 : static_cast<unsigned char>(found.front());
}

}  // namespace podctl::download

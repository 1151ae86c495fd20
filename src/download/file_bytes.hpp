#pragma once

#include "podctl/base/byte_order.hpp"
#include "podctl/base/fd.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace podctl::download {

// A file that is looked at from anywhere in it, a window at a time. For small reads that go forward
// mostly. Not for two threads at once.
class FileBytes {
public:
    // Throws Error{io}.
    explicit FileBytes(const std::filesystem::path& path);
    // A file that is open already, and has `path` in messages only.
    FileBytes(Fd fd, std::filesystem::path path);

    std::uint64_t size() const { return size_; }
    int fd() const { return fd_.get(); }
    const std::filesystem::path& path() const { return path_; }

    // At most `size` bytes, fewer at the file's end. Valid until the next call. Throws Error{io}.
    std::string_view part(std::uint64_t offset, std::size_t size) const;
    // The byte at `offset`; -1: the file has ended there.
    int byte(std::uint64_t offset) const;

private:
    Fd fd_;
    std::filesystem::path path_;
    std::uint64_t size_ = 0;
    mutable std::string window_;
    mutable std::uint64_t begin_ = 0;  // of the window
};

// Little-endian, of the first `Size` bytes of a text that has as many.
template <std::size_t Size>
std::uint64_t little_endian(std::string_view bytes, std::size_t at = 0) {
    return podctl::little_endian(bytes.substr(at, Size));
}

}  // namespace podctl::download

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace podctl::comfy {

// The two ends of a file, which is what tells that it is whole: a video does not belong in memory.
class FileSample {
public:
    void add(std::string_view bytes);

    std::string_view head() const { return head_; }
    std::string_view tail() const { return tail_; }  // the last bytes, also of a short file
    std::uint64_t size() const { return size_; }
    // So many bytes from `offset` on; nullopt: the file ends before, or they were not kept.
    std::optional<std::string_view> bytes(std::uint64_t offset, std::size_t count) const;

private:
    std::string head_, tail_;
    std::uint64_t size_ = 0;
};

struct Media {
    std::string format;                   // png, jpeg, webp, gif, mp4, …; empty: not known
    std::uint32_t width = 0, height = 0;  // of an image
};

// What the file is by its first bytes, and whether it is whole as far as they and the last ones
// tell. `name` says what it ought to be. Throws Error{smoke} for an empty file, one that is cut
// off, and one that is something else than its name says.
Media inspect_media(std::string_view name, const FileSample& sample);

}  // namespace podctl::comfy

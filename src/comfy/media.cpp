#include "media.hpp"

#include "podctl/base/byte_order.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"

#include "film.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace podctl::comfy {
namespace {

// A JPEG's size stands behind what was embedded in it: a workflow, a colour profile, a preview.
constexpr std::size_t head_size = 1 << 20;
// A film's index may be its last part.
constexpr std::size_t tail_size = 64 << 10;

Error broken(std::string_view name, const std::string& what) {
    return Error{ErrorKind::smoke, fmt::format("{} {}", name, what)};
}

std::uint32_t big(std::string_view bytes, std::size_t at, std::size_t size) {
    return static_cast<std::uint32_t>(big_endian(bytes.substr(at, size)));
}
std::uint32_t little(std::string_view bytes, std::size_t at, std::size_t size) {
    return static_cast<std::uint32_t>(little_endian(bytes.substr(at, size)));
}

struct Size {
    std::uint32_t width = 0, height = 0;
};

// Each of these takes a file that begins as its format does. nullopt: cut off, or none of it.
using Look = std::optional<Size> (*)(const FileSample&);

// The header chunk is the first, IEND the last (PNG, §5.6).
std::optional<Size> look_at_png(const FileSample& file) {
    constexpr std::string_view end("\0\0\0\0IEND\xAE\x42\x60\x82", 12);
    const auto head = file.head();
    if (head.size() < 24 || head.substr(12, 4) != "IHDR") return std::nullopt;
    if (!file.tail().ends_with(end)) return std::nullopt;
    return Size{big(head, 16, 4), big(head, 20, 4)};
}

// The frame header (SOF0 to SOF15 but DHT, JPG and DAC) has the size; EOI ends the file, and some
// programs put something of their own behind it (ITU T.81, §B.1).
std::optional<Size> look_at_jpeg(const FileSample& file) {
    if (file.tail().find("\xFF\xD9") == std::string_view::npos) return std::nullopt;
    const auto head = file.head();
    std::size_t at = 2;
    while (at + 9 < head.size() && head[at] == '\xFF') {
        const auto marker = static_cast<unsigned char>(head[at + 1]);
        if (marker == 0xFF) {  // a fill byte
            ++at;
            continue;
        }
        const bool is_frame =
            marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
        if (is_frame) return Size{big(head, at + 7, 2), big(head, at + 5, 2)};
        at += 2 + big(head, at + 2, 2);
    }
    return std::nullopt;
}

std::optional<Size> look_at_gif(const FileSample& file) {
    const auto head = file.head();
    if (head.size() < 13 || !file.tail().ends_with(';')) return std::nullopt;
    return Size{little(head, 6, 2), little(head, 8, 2)};
}

// RIFF says its own length; the first chunk is VP8X, VP8L or VP8 (WebP container specification).
std::optional<Size> look_at_webp(const FileSample& file) {
    const auto head = file.head();
    if (head.size() < 30 || little(head, 4, 4) + std::uint64_t{8} > file.size())
        return std::nullopt;
    const auto chunk = head.substr(12, 4);
    if (chunk == "VP8X") return Size{little(head, 24, 3) + 1, little(head, 27, 3) + 1};
    if (chunk == "VP8L") {
        const auto bits = little(head, 21, 4);
        return Size{(bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1};
    }
    if (chunk == "VP8 ") return Size{little(head, 26, 2) & 0x3FFF, little(head, 28, 2) & 0x3FFF};
    return std::nullopt;
}

struct ImageFormat {
    std::string_view name;
    std::size_t at;
    std::string_view magic;
    Look look;
};

constexpr std::array<ImageFormat, 5> image_formats = {{
    {"png", 0, "\x89PNG\r\n\x1A\n", look_at_png},
    {"jpeg", 0, "\xFF\xD8\xFF", look_at_jpeg},
    {"gif", 0, "GIF87a", look_at_gif},
    {"gif", 0, "GIF89a", look_at_gif},
    {"webp", 8, "WEBP", look_at_webp},
}};

struct OtherFormat {
    std::string_view name;
    std::size_t at;
    std::string_view magic;
    bool (*is_whole)(const FileSample&) = nullptr;
};

constexpr std::array<OtherFormat, 15> other_formats = {{
    {"avif", 4, "ftypavif", is_whole_mp4},
    {"mp4", 4, "ftyp", is_whole_mp4},
    {"webm", 0, "\x1A\x45\xDF\xA3", is_whole_webm},
    {"avi", 8, "AVI ", is_whole_riff},
    {"wav", 8, "WAVE", is_whole_riff},
    {"flac", 0, "fLaC", is_whole_flac},
    {"ogg", 0, "OggS", is_whole_ogg},
    {"mp3", 0, "ID3", is_whole_mp3},
    {"mp3", 0, "\xFF\xFB", is_whole_mp3},
    {"mp3", 0, "\xFF\xF3", is_whole_mp3},
    {"glb", 0, "glTF", is_whole_glb},
    {"bmp", 0, "BM"},
    {"tiff", 0, "II*"},
    {"tiff", 0, std::string_view("MM\0*", 4)},
    {"exr", 0, "\x76\x2F\x31\x01"},
}};

// What files of a name hold. A name that is not here may hold anything.
struct Ending {
    std::string_view ending, format;
};
constexpr std::array<Ending, 24> endings = {{
    {".png", "image"}, {".apng", "image"}, {".jpg", "image"}, {".jpeg", "image"},
    {".gif", "image"}, {".webp", "image"}, {".avif", "avif"}, {".bmp", "bmp"},
    {".tif", "tiff"},  {".tiff", "tiff"},  {".exr", "exr"},   {".mp4", "mp4"},
    {".m4v", "mp4"},   {".mov", "mp4"},    {".m4a", "mp4"},   {".webm", "webm"},
    {".mkv", "webm"},  {".avi", "avi"},    {".wav", "wav"},   {".flac", "flac"},
    {".ogg", "ogg"},   {".opus", "ogg"},   {".mp3", "mp3"},   {".glb", "glb"},
}};

bool has_magic(std::string_view head, std::size_t at, std::string_view magic) {
    return head.size() >= at + magic.size() && head.substr(at, magic.size()) == magic;
}

std::string_view expected_format(std::string_view name) {
    const auto lower = to_lower(name);
    const auto found =
        std::ranges::find_if(endings, [&](const Ending& it) { return lower.ends_with(it.ending); });
    return found == endings.end() ? std::string_view{} : found->format;
}

}  // namespace

void FileSample::add(std::string_view bytes) {
    size_ += bytes.size();
    if (head_.size() < head_size) head_ += bytes.substr(0, head_size - head_.size());
    tail_ += bytes;
    if (tail_.size() > tail_size) tail_.erase(0, tail_.size() - tail_size);
}

std::optional<std::string_view> FileSample::bytes(std::uint64_t offset, std::size_t count) const {
    if (offset > size_ || count > size_ - offset) return std::nullopt;
    if (offset + count <= head_.size()) return head().substr(offset, count);
    const auto tail_begin = size_ - tail_.size();
    if (offset < tail_begin) return std::nullopt;
    return tail().substr(offset - tail_begin, count);
}

Media inspect_media(std::string_view name, const FileSample& sample) {
    if (sample.size() == 0) throw broken(name, "is empty");
    const auto expected = expected_format(name);
    for (const auto& format : image_formats) {
        if (!has_magic(sample.head(), format.at, format.magic)) continue;
        if (!expected.empty() && expected != "image")
            throw broken(name, fmt::format("is no {} but {}", expected, format.name));
        const auto size = format.look(sample);
        if (!size) throw broken(name, fmt::format("is a {} that is cut off", format.name));
        if (size->width == 0 || size->height == 0)
            throw broken(name, fmt::format("is a {} of {}x{} pixels", format.name, size->width,
                                           size->height));
        return {std::string(format.name), size->width, size->height};
    }
    for (const auto& format : other_formats) {
        if (!has_magic(sample.head(), format.at, format.magic)) continue;
        if (!expected.empty() && expected != format.name) continue;
        if (format.is_whole && !format.is_whole(sample))
            throw broken(name,
                         fmt::format("is a {} that is cut off, or holds nothing", format.name));
        return {std::string(format.name)};
    }
    if (!expected.empty()) throw broken(name, fmt::format("is no {}", expected));
    return {};
}

}  // namespace podctl::comfy

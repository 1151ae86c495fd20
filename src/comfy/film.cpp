#include "film.hpp"

#include "podctl/base/byte_order.hpp"

namespace podctl::comfy {
namespace {

// A number of EBML (RFC 8794 §4): as many bytes as its first one has leading zeros, and one more.
struct EbmlNumber {
    std::uint64_t value = 0;  // without its marker
    std::uint64_t raw = 0;
    std::size_t length = 0;
    bool is_unknown = false;  // all ones: a stream whose size nobody knew
};
std::optional<EbmlNumber> ebml_number(const FileSample& file, std::uint64_t at) {
    const auto first = file.bytes(at, 1);
    if (!first) return std::nullopt;
    const auto byte = static_cast<unsigned char>(first->front());
    std::size_t length = 1;
    while (length <= 8 && !(byte & 0x80 >> (length - 1)))
        ++length;
    const auto all = length <= 8 ? file.bytes(at, length) : std::nullopt;
    if (!all) return std::nullopt;
    EbmlNumber number{.raw = big_endian(*all), .length = length};
    const auto mask = (std::uint64_t{1} << (7 * length)) - 1;
    number.value = number.raw & mask;
    number.is_unknown = number.value == mask;
    return number;
}

}  // namespace

// A row of boxes up to the file's end, with what describes the film (moov, or meta of a picture)
// and its frames (mdat, which a film in fragments has behind each moof).
bool is_whole_mp4(const FileSample& file) {
    bool has_index = false, has_frames = false;
    std::uint64_t at = 0;
    while (at < file.size()) {
        const auto head = file.bytes(at, 8);
        if (!head) return file.size() - at >= 8 && has_frames;  // an index longer than what is kept
        const auto type = head->substr(4, 4);
        std::uint64_t size = big_endian(head->substr(0, 4)), least = 8;
        if (size == 1) {
            const auto large = file.bytes(at + 8, 8);
            if (!large) return false;
            size = big_endian(*large);
            least = 16;
        }
        if (size == 0) size = file.size() - at;  // to the end
        if (size < least || size > file.size() - at) return false;
        has_index = has_index || type == "moov" || type == "meta";
        has_frames = has_frames || (type == "mdat" && size > least);
        at += size;
    }
    return has_index && has_frames;
}

// EBML's header, then the Segment, whose size is known or is that of a stream, with a Cluster.
bool is_whole_webm(const FileSample& file) {
    constexpr std::uint64_t segment_id = 0x18538067;
    constexpr std::string_view cluster("\x1F\x43\xB6\x75", 4);
    const auto header_size = ebml_number(file, 4);
    if (!header_size) return false;
    const auto segment = 4 + header_size->length + header_size->value;
    const auto id = ebml_number(file, segment);
    if (!id || id->raw != segment_id) return false;
    const auto size = ebml_number(file, segment + id->length);
    if (!size) return false;
    const auto begin = segment + id->length + size->length;
    if (!size->is_unknown && size->value > file.size() - begin) return false;
    return file.head().find(cluster) != std::string_view::npos ||
           file.tail().find(cluster) != std::string_view::npos;
}

// RIFF says its own length; who wrote it to a pipe could not know it.
bool is_whole_riff(const FileSample& file) {
    const auto head = file.bytes(0, 12);
    if (!head) return false;
    const auto size = little_endian(head->substr(4, 4));
    const bool is_known = size != 0 && size != 0xFFFFFFFF;
    if (is_known && size + 8 > file.size()) return false;
    const auto wanted = head->substr(8, 4) == "WAVE" ? "data" : "movi";
    const auto found = file.head().find(wanted, 12);
    return found != std::string_view::npos && file.size() > found + 8;
}

// The first block describes the stream, in 34 bytes; frames follow the last block.
bool is_whole_flac(const FileSample& file) {
    std::uint64_t at = 4;
    while (true) {
        const auto head = file.bytes(at, 4);
        if (!head) return at >= file.head().size() && at < file.size();  // a large picture
        const bool is_last = (*head)[0] & 0x80;
        at += 4 + big_endian(head->substr(1, 3));
        if (is_last) break;
    }
    return at + 2 <= file.size();
}

// Pages; the last one of a stream says so (§6, header_type_flag).
bool is_whole_ogg(const FileSample& file) {
    constexpr std::size_t page_head = 27;
    const auto last = file.tail().rfind("OggS");
    if (last == std::string_view::npos || last + page_head > file.tail().size()) return false;
    return static_cast<unsigned char>(file.tail()[last + 5]) & 0x04;
}

// A frame behind the tag, which says its own length, seven bits a byte (ID3v2 §3.1).
bool is_whole_mp3(const FileSample& file) {
    const auto head = file.bytes(0, 10);
    if (!head) return false;
    if (!head->starts_with("ID3")) return true;
    std::uint64_t size = 0;
    for (const char c : head->substr(6, 4))
        size = size << 7 | (static_cast<unsigned char>(c) & 0x7F);
    return file.size() > 10 + size + 4;
}

// Its third word is the length of it all.
bool is_whole_glb(const FileSample& file) {
    const auto head = file.bytes(0, 20);
    return head && little_endian(head->substr(8, 4)) <= file.size();
}

}  // namespace podctl::comfy

#pragma once

#include "podctl/workflow/carrier.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace podctl::workflow {

// A part of a file.
struct ByteRange {
    std::uint64_t begin = 0, end = 0;

    std::uint64_t size() const { return end - begin; }
};

// A type of four letters as the number that stands in the file.
constexpr std::uint64_t four_letters(const char (&letters)[5]) {
    std::uint64_t type = 0;
    for (std::size_t i = 0; i < 4; ++i)
        type = type << 8 | static_cast<unsigned char>(letters[i]);
    return type;
}

// Reads what somebody else wrote, within bounds. As with a stream, the first fault stays, and
// whatever is read after it is zeros and empty texts: a loop asks ok(), and needs no other care.
class CarrierReader {
public:
    explicit CarrierReader(const ByteSource& source) : source_(source) {}

    ByteRange all() const { return {0, source_.size}; }
    bool ok() const { return fault_.empty(); }
    const std::string& fault() const { return fault_; }
    void fail(std::string fault);

    // An unsigned number of up to eight bytes.
    std::uint64_t number(std::uint64_t offset, std::size_t bytes,
                         std::endian order = std::endian::big);
    // The bytes of a range: of a workflow, which is at most 64 MiB, and what stands around it.
    std::string text(ByteRange range);
    // The same up to a zero byte, at most `longest` bytes.
    std::string name(ByteRange range, std::size_t longest);
    bool has(std::uint64_t offset, std::string_view bytes);
    // What begins at `begin`, says that it has `size` bytes, and is within `outer`.
    ByteRange part(ByteRange outer, std::uint64_t begin, std::uint64_t size);
    // Counts work on the file's behalf towards what it may cost.
    void spend(std::uint64_t bytes);

private:
    std::size_t read(std::uint64_t offset, std::span<char> buffer);

    const ByteSource& source_;
    std::string fault_;
    std::uint64_t spent_ = 0;
    // What was read last, since the headers of small parts lie close together.
    std::array<char, 512> window_{};
    std::uint64_t window_begin_ = 0;
    std::size_t window_size_ = 0;
};

// Of the texts that a file carries, by what they are called there: only these are looked at.
bool is_carried_key(std::string_view key);
// Takes a text into `into`, whatever the key's case. One that is JSON within a JSON string, also
// several times, as films are that ComfyUI has saved again, is taken out of it. A "comment" is an
// object with both formats, as VideoHelperSuite writes it.
void add_carried(CarriedWorkflow& into, std::string_view key, std::string text);
// Takes the members of an object that has both, as texts or as they are.
void add_carried(CarriedWorkflow& into, const nlohmann::json& object);

// The readers, one a format. Each adds what it finds.
void read_png(CarrierReader& reader, CarriedWorkflow& into);
void read_webp(CarrierReader& reader, CarriedWorkflow& into);
void read_isobmff(CarrierReader& reader, CarriedWorkflow& into);
void read_avif(CarrierReader& reader, CarriedWorkflow& into);
void read_matroska(CarrierReader& reader, CarriedWorkflow& into);
void read_id3(CarrierReader& reader, CarriedWorkflow& into);
void read_flac(CarrierReader& reader, CarriedWorkflow& into);
void read_ogg(CarrierReader& reader, CarriedWorkflow& into);
void read_svg(CarrierReader& reader, CarriedWorkflow& into);
void read_glb(CarrierReader& reader, CarriedWorkflow& into);
void read_safetensors(CarrierReader& reader, CarriedWorkflow& into);

// The texts of the first directory of an EXIF block, "key:text" each.
void read_exif(CarrierReader& reader, ByteRange block, CarriedWorkflow& into);

}  // namespace podctl::workflow

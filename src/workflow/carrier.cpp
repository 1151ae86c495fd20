#include "podctl/workflow/carrier.hpp"

#include "carrier_reader.hpp"
#include "page_json.hpp"

#include <algorithm>

namespace podctl::workflow {
namespace {

using Read = void (*)(CarrierReader&, CarriedWorkflow&);

// Bytes at a place, by which a format is known.
struct Mark {
    std::uint64_t offset = 0;
    std::string_view bytes = {};
};
struct CarrierFormat {
    const char* name;
    Read read;  // nullptr: ComfyUI's page reads no workflow from it
    Mark mark = {}, other_mark = {};
};

constexpr CarrierFormat marked_formats[] = {
    {"PNG", read_png, {0, "\x89PNG\r\n\x1a\n"}},
    {"WebP", read_webp, {0, "RIFF"}, {8, "WEBP"}},
    {"AVIF", read_avif, {4, "ftypavif"}},
    {"MP4", read_isobmff, {4, "ftyp"}},
    {"WebM", read_matroska, {0, "\x1a\x45\xdf\xa3"}},
    {"MP3", read_id3, {0, "ID3"}},
    {"FLAC", read_flac, {0, "fLaC"}},
    {"Ogg", read_ogg, {0, "OggS"}},
    {"GLB", read_glb, {0, "glTF"}},
    {"JPEG", nullptr, {0, "\xff\xd8\xff"}},
    {"GIF", nullptr, {0, "GIF8"}},
    {"WAV", nullptr, {0, "RIFF"}, {8, "WAVE"}},
};

// A frame of MPEG's layer III, without any tag before it.
bool is_mp3_frame(CarrierReader& reader) {
    if (reader.all().size() < 4) return false;
    const auto head = reader.number(0, 2);
    return (head & 0xffe6) == 0xffe2;
}

// The length of a JSON object, in eight bytes before it: as a text, a number beyond any file.
bool is_safetensors(CarrierReader& reader) {
    if (!reader.has(8, "{")) return false;
    const auto length = reader.number(0, 8, std::endian::little);
    return length >= 2 && length <= reader.all().size() - 8;
}

bool is_svg(CarrierReader& reader) {
    const auto head = reader.name({0, std::min<std::uint64_t>(reader.all().size(), 4096)}, 4096);
    const auto first = head.find_first_not_of(" \t\r\n\xef\xbb\xbf");
    return first != std::string::npos && head[first] == '<' &&
           head.find("<svg") != std::string::npos;
}

std::optional<CarrierFormat> format_of(CarrierReader& reader) {
    for (const auto& format : marked_formats)
        if (reader.has(format.mark.offset, format.mark.bytes) &&
            reader.has(format.other_mark.offset, format.other_mark.bytes))
            return format;
    if (is_mp3_frame(reader)) return CarrierFormat{"MP3", [](auto&, auto&) {}};
    if (is_safetensors(reader)) return CarrierFormat{"safetensors", read_safetensors};
    if (is_svg(reader)) return CarrierFormat{"SVG", read_svg};
    return std::nullopt;
}

}  // namespace

ByteSource bytes_of(std::string_view text) {
    return {.size = text.size(), .read = [text](std::uint64_t offset, std::span<char> buffer) {
                if (offset >= text.size()) return std::size_t{0};
                return text.copy(buffer.data(), buffer.size(), static_cast<std::size_t>(offset));
            }};
}

std::optional<CarriedWorkflow> find_carried(const ByteSource& bytes) {
    CarrierReader reader{bytes};
    const auto format = format_of(reader);
    if (!format) return std::nullopt;
    CarriedWorkflow found{.carrier = format->name, .workflow = {}, .prompt = {}};
    if (format->read)
        format->read(reader, found);
    else
        reader.fail("is of a format that ComfyUI's page reads no workflow from");
    found.fault = reader.fault();
    return found;
}

}  // namespace podctl::workflow

#include "carrier_reader.hpp"
#include "page_json.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

// The rules are those of ComfyUI_frontend, src/scripts/metadata/png.ts and pnginfo.ts.
namespace podctl::workflow {
namespace {

// A PNG's keyword has 79 bytes at most, and a zero.
constexpr std::size_t longest_png_keyword = 80;

// Of an animation ComfyUI writes a chunk of its own, behind the first picture.
constexpr auto plain_chunk = four_letters("tEXt"), international_chunk = four_letters("iTXt"),
               deflated_chunk = four_letters("zTXt"), animated_chunk = four_letters("comf");

bool is_text_chunk(std::uint64_t type) {
    return type == plain_chunk || type == international_chunk || type == deflated_chunk ||
           type == animated_chunk;
}

// What deflate made small, at most a workflow's size; nullopt: it is not that, or larger.
std::optional<std::string> inflated(std::string_view packed) {
    z_stream stream{};
    if (inflateInit(&stream) != Z_OK) return std::nullopt;
    std::string text;
    std::array<char, 1u << 16> block{};
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    int status = Z_OK;
    while (status == Z_OK && text.size() <= workflow_limits.bytes) {
        stream.next_out = reinterpret_cast<Bytef*>(block.data());
        stream.avail_out = static_cast<uInt>(block.size());
        status = inflate(&stream, Z_NO_FLUSH);
        text.append(block.data(), block.size() - stream.avail_out);
    }
    inflateEnd(&stream);
    if (status != Z_STREAM_END) return std::nullopt;
    return text;
}

// The text of a chunk behind its keyword. In an iTXt there is between them whether it is deflated,
// how, a language and the keyword in it.
std::string png_text(CarrierReader& reader, std::uint64_t type, std::string content) {
    if (type == plain_chunk || type == animated_chunk) return content;
    std::size_t begin = 1;  // a zTXt says only how
    bool is_deflated = true;
    if (type == international_chunk) {
        if (content.size() < 2) return {};
        is_deflated = content[0] == 1;
        const auto language = content.find('\0', 2);
        const auto keyword = language == content.npos ? language : content.find('\0', language + 1);
        if (keyword == content.npos) return {};
        begin = keyword + 1;
    }
    const auto text = std::string_view{content}.substr(std::min(begin, content.size()));
    if (!is_deflated) return std::string{text};
    auto inflated_text = inflated(text);
    if (!inflated_text) reader.fail("holds a text that cannot be inflated");
    if (inflated_text) reader.spend(inflated_text->size());
    return inflated_text.value_or("");
}

void read_png_text(CarrierReader& reader, std::uint64_t type, ByteRange chunk,
                   CarriedWorkflow& into) {
    const auto keyword = reader.name(chunk, longest_png_keyword);
    if (!is_carried_key(keyword) || keyword.size() == chunk.size()) return;
    chunk.begin += keyword.size() + 1;
    add_carried(into, keyword, png_text(reader, type, reader.text(chunk)));
}

}  // namespace

void read_png(CarrierReader& reader, CarriedWorkflow& into) {
    const auto file = reader.all();
    for (std::uint64_t at = 8; reader.ok() && at < file.end;) {
        const auto chunk = reader.part(file, at + 8, reader.number(at, 4));
        const auto type = reader.number(at + 4, 4);
        if (type == four_letters("IEND")) return;
        if (is_text_chunk(type)) read_png_text(reader, type, chunk, into);
        at = chunk.end + 4;  // its checksum
    }
}

void read_exif(CarrierReader& reader, ByteRange block, CarriedWorkflow& into) {
    if (reader.has(block.begin, {"Exif\0\0", 6}))
        block = reader.part(block, block.begin + 6, block.size() - 6);
    const auto order = reader.has(block.begin, "II") ? std::endian::little : std::endian::big;
    if (order == std::endian::big && !reader.has(block.begin, "MM")) return;
    const auto directory = block.begin + reader.number(block.begin + 4, 4, order);
    const auto count = reader.number(directory, 2, order);
    for (std::uint64_t i = 0; reader.ok() && i < count; ++i) {
        const auto entry = directory + 2 + i * 12;
        const auto type = reader.number(entry + 2, 2, order);
        const auto size = reader.number(entry + 4, 4, order);
        constexpr std::uint64_t ascii = 2, in_place = 4;
        if (type != ascii || size <= in_place) continue;
        const auto value =
            reader.part(block, block.begin + reader.number(entry + 8, 4, order), size);
        constexpr std::size_t longest_key = 32;
        const auto key = reader.name(value, longest_key);
        const auto colon = key.find(':');
        if (colon == key.npos || !is_carried_key(key.substr(0, colon))) continue;
        add_carried(into, key.substr(0, colon), reader.text({value.begin + colon + 1, value.end}));
    }
}

void read_webp(CarrierReader& reader, CarriedWorkflow& into) {
    const auto file = reader.all();
    for (std::uint64_t at = 12; reader.ok() && at + 8 <= file.end;) {
        const auto chunk = reader.part(file, at + 8, reader.number(at + 4, 4, std::endian::little));
        if (reader.has(at, "EXIF")) return read_exif(reader, chunk, into);
        at = chunk.end + chunk.size() % 2;
    }
}

}  // namespace podctl::workflow

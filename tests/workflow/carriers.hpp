#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

// Files of each format that carries a workflow, written by hand as ComfyUI's nodes and ffmpeg write
// them, with nothing in them but what leads to the texts.
namespace podctl::workflow::test {

inline std::string big(std::uint64_t number, std::size_t bytes = 4) {
    std::string text;
    for (std::size_t i = bytes; i-- > 0;)
        text += static_cast<char>(number >> 8 * i);
    return text;
}

inline std::string little(std::uint64_t number, std::size_t bytes = 4) {
    const auto text = big(number, bytes);
    return {text.rbegin(), text.rend()};
}

// Keys and texts, in the order in which they stand.
using Texts = std::vector<std::pair<std::string, std::string>>;

inline std::string zero() {
    return std::string(1, '\0');
}

inline std::string png_chunk(const std::string& type, const std::string& content) {
    return big(content.size()) + type + content + "crc.";
}

inline std::string png_of(const std::string& chunks) {
    return "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", std::string(13, 'h')) + chunks +
           png_chunk("IDAT", std::string(5000, 'd')) + png_chunk("IEND", "");
}

inline std::string png(const Texts& texts, const std::string& type = "tEXt") {
    std::string chunks;
    for (const auto& [key, text] : texts)
        chunks += png_chunk(type, key + zero() + text);
    return png_of(chunks);
}

// An EXIF block with one text a tag, in the byte order of `number`.
inline std::string exif(const std::vector<std::string>& texts,
                        std::string (*number)(std::uint64_t, std::size_t) = little) {
    std::string entries, values;
    const auto first = 8 + 2 + texts.size() * 12 + 4;
    std::uint64_t tag = 0x10f;
    for (const auto& text : texts) {
        entries += number(tag++, 2) + number(2, 2) + number(text.size() + 1, 4) +
                   number(first + values.size(), 4);
        values += text + zero();
    }
    return (number(1, 2)[0] == 1 ? "II" : "MM") + number(42, 2) + number(8, 4) +
           number(texts.size(), 2) + entries + number(0, 4) + values;
}

inline std::string riff_chunk(const std::string& type, const std::string& content) {
    return type + little(content.size()) + content + std::string(content.size() % 2, '\0');
}

inline std::string webp(const std::string& exif_block) {
    const auto chunks = "WEBP" + riff_chunk("VP8X", std::string(10, 'x')) +
                        riff_chunk("VP8 ", std::string(901, 'v')) + riff_chunk("EXIF", exif_block);
    return "RIFF" + little(chunks.size()) + chunks;
}

inline std::string box(const std::string& type, const std::string& content) {
    return big(8 + content.size()) + type + content;
}

// What `moov` holds, behind the film itself as ffmpeg writes it.
inline std::string mp4(const std::string& in_moov, const std::string& brand = "isom") {
    return box("ftyp", brand + big(512)) + box("mdat", std::string(3000, 'm')) +
           box("moov", box("mvhd", std::string(100, 'h')) + in_moov);
}

inline std::string data_box(const std::string& text) {
    return box("data", big(1) + big(0) + text);
}

inline std::string mdta_meta(const Texts& texts, const std::string& version = big(0)) {
    std::string keys, items;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        keys += box("mdta", texts[i].first);
        items += box(big(i + 1), data_box(texts[i].second));
    }
    return box("meta", version + box("hdlr", std::string(25, 'h')) +
                           box("keys", big(0) + big(texts.size()) + keys) + box("ilst", items));
}

// Sizes of eight bytes, so that every text fits.
inline std::string element(std::uint64_t id, std::size_t id_bytes, const std::string& content) {
    return big(id, id_bytes) + big(std::uint64_t{1} << 56 | content.size(), 8) + content;
}

inline std::string unknown_size(std::uint64_t id, std::size_t id_bytes) {
    return big(id, id_bytes) + "\x01" + std::string(7, '\xff');
}

inline std::string simple_tag(const std::string& name, const std::string& text) {
    return element(0x67C8, 2, element(0x45A3, 2, name) + element(0x4487, 2, text));
}

inline std::string matroska_tags(const Texts& texts) {
    std::string tags;
    for (const auto& [name, text] : texts)
        tags += simple_tag(name, text);
    return element(0x1254C367, 4, element(0x7373, 2, tags));
}

inline std::string webm(const std::string& in_segment) {
    return element(0x1A45DFA3, 4, "doctype") + element(0x18538067, 4, in_segment);
}

inline std::string synchsafe_of(std::uint64_t size) {
    std::string text;
    for (int shift = 21; shift >= 0; shift -= 7)
        text += static_cast<char>(size >> shift & 0x7f);
    return text;
}

inline std::string id3_frame(const std::string& type, const std::string& content) {
    return type + synchsafe_of(content.size()) + big(0, 2) + content;
}

inline std::string mp3(const std::string& frames, char version = 4) {
    return std::string{"ID3"} + version + zero() + zero() + synchsafe_of(frames.size() + 20) +
           frames + std::string(20, '\0') + "\xff\xfb\x90\x64" + std::string(400, 's');
}

inline std::string vorbis_comments(const Texts& texts) {
    std::string comments = little(4) + "Lavf" + little(texts.size());
    for (const auto& [key, text] : texts)
        comments += little(key.size() + 1 + text.size()) + key + "=" + text;
    return comments;
}

inline std::string flac(const Texts& texts) {
    const auto comments = vorbis_comments(texts);
    return "fLaC" + big(34) + std::string(34, 'i') + big(0x84, 1) + big(comments.size(), 3) +
           comments + std::string(500, 's');
}

// Pages of a stream's packet, of at most `longest` pieces of 255 bytes each.
inline std::string ogg_pages(std::string packet, std::uint64_t position, std::uint64_t stream = 7,
                             std::size_t longest = 255) {
    std::string lacing(packet.size() / 255, '\xff');
    lacing += static_cast<char>(packet.size() % 255);
    std::string pages;
    for (; !lacing.empty(); lacing.erase(0, longest)) {
        const auto pieces = std::min(longest, lacing.size());
        const auto bytes = std::min(packet.size(), pieces * 255);
        pages += "OggS" + zero() + zero() + little(position, 8) + little(stream) + little(0) +
                 little(0) + big(pieces, 1) + lacing.substr(0, pieces) + packet.substr(0, bytes);
        packet.erase(0, bytes);
    }
    return pages;
}

inline std::string opus(const Texts& texts) {
    return ogg_pages("OpusHead" + std::string(11, 'h'), 0) +
           ogg_pages("OpusTags" + vorbis_comments(texts), 0) +
           ogg_pages(std::string(4000, 's'), 960);
}

inline std::string glb(const std::string& json) {
    return "glTF" + little(2) + little(20 + json.size()) + little(json.size()) + "JSON" + json;
}

inline std::string safetensors(const std::string& header) {
    return little(header.size(), 8) + header + std::string(64, 't');
}

}  // namespace podctl::workflow::test

#include "carrier_reader.hpp"

#include <algorithm>
#include <optional>
#include <utility>

// The rules are those of ComfyUI_frontend, src/scripts/metadata/mp3.ts, flac.ts and ogg.ts.
namespace podctl::workflow {
namespace {

// ID3v2 and Vorbis: https://id3.org/id3v2.4.0-structure,
// https://xiph.org/vorbis/doc/v-comment.html.

// Four bytes of seven bits each, so that none looks like the begin of a frame of sound.
std::uint64_t synchsafe(std::uint64_t number) {
    std::uint64_t value = 0;
    for (int shift = 24; shift >= 0; shift -= 8)
        value = value << 7 | (number >> shift & 0x7f);
    return value;
}

void append_utf8(std::string& text, char32_t point) {
    const auto byte = [&](char32_t value) { text += static_cast<char>(value); };
    if (point < 0x80) {
        byte(point);
    } else if (point < 0x800) {
        byte(0xc0 | point >> 6);
        byte(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        byte(0xe0 | point >> 12);
        byte(0x80 | (point >> 6 & 0x3f));
        byte(0x80 | (point & 0x3f));
    } else {
        byte(0xf0 | point >> 18);
        byte(0x80 | (point >> 12 & 0x3f));
        byte(0x80 | (point >> 6 & 0x3f));
        byte(0x80 | (point & 0x3f));
    }
}

// Half a pair of surrogates becomes U+FFFD, as in a browser.
std::string from_utf16(std::string_view text, std::endian order) {
    std::string made;
    const auto unit = [&](std::size_t at) {
        const auto one = static_cast<unsigned char>(text[at]);
        const auto other = static_cast<unsigned char>(text[at + 1]);
        return order == std::endian::big ? char32_t(one << 8 | other) : char32_t(other << 8 | one);
    };
    const auto is_low = [](char32_t point) { return point >= 0xdc00 && point < 0xe000; };
    for (std::size_t at = 0; at + 1 < text.size(); at += 2) {
        auto point = unit(at);
        if (point >= 0xd800 && point < 0xdc00 && at + 3 < text.size() && is_low(unit(at + 2))) {
            point = 0x10000 + ((point - 0xd800) << 10 | (unit(at + 2) - 0xdc00));
            at += 2;
        } else if (point >= 0xd800 && point < 0xe000) {
            point = 0xfffd;
        }
        append_utf8(made, point);
    }
    return made;
}

// A text of a frame, in one of the four encodings that its first byte names.
std::string id3_text(std::string_view text, char encoding) {
    if (encoding == 3) return std::string{text};
    if (encoding == 1 && text.starts_with("\xff\xfe"))
        return from_utf16(text.substr(2), std::endian::little);
    if (encoding == 1 && text.starts_with("\xfe\xff")) text.remove_prefix(2);
    if (encoding == 1 || encoding == 2) return from_utf16(text, std::endian::big);
    std::string made;
    for (const char c : text)
        append_utf8(made, static_cast<unsigned char>(c));
    return made;
}

// A name and a text: TXXX, and behind a language COMM.
void read_id3_text(std::string frame, std::size_t language, CarriedWorkflow& into) {
    if (frame.size() < 1 + language) return;
    const char encoding = frame[0];
    const auto rest = std::string_view{frame}.substr(1 + language);
    const std::size_t width = encoding == 1 || encoding == 2 ? 2 : 1;
    std::size_t end = 0;
    while (end + width <= rest.size() &&
           rest.substr(end, width).find_first_not_of('\0') != rest.npos)
        end += width;
    if (end + width > rest.size()) return;
    const auto key = language > 0 ? "comment" : id3_text(rest.substr(0, end), encoding);
    if (is_carried_key(key)) add_carried(into, key, id3_text(rest.substr(end + width), encoding));
}

// Comments as FLAC and Ogg have them: "key=text", each with its length before.
void read_vorbis_comments(CarrierReader& reader, ByteRange range, CarriedWorkflow& into) {
    const auto length = [&](std::uint64_t at) { return reader.number(at, 4, std::endian::little); };
    const auto vendor = reader.part(range, range.begin + 4, length(range.begin));
    const auto count = length(vendor.end);
    auto at = vendor.end + 4;
    for (std::uint64_t i = 0; reader.ok() && i < count; ++i) {
        const auto comment = reader.part(range, at + 4, length(at));
        constexpr std::size_t longest_key = 32;
        const auto key = reader.name(comment, longest_key);
        const auto sign = key.find('=');
        if (sign != key.npos && is_carried_key(key.substr(0, sign)))
            add_carried(into, key.substr(0, sign),
                        reader.text({comment.begin + sign + 1, comment.end}));
        at = comment.end;
    }
}

// A page of Ogg (RFC 3533): pieces of packets, of 255 bytes each but for the last of a packet.
struct OggPage {
    static constexpr std::uint64_t head_size = 27;

    std::uint64_t begin, stream, pieces;

    std::uint64_t content() const { return begin + head_size + pieces; }
};

std::optional<OggPage> ogg_page(CarrierReader& reader, std::uint64_t at) {
    if (!reader.has(at, "OggS")) return std::nullopt;
    return OggPage{at, reader.number(at + 14, 4), reader.number(at + 26, 1)};
}

// How many bytes the comments of a packet of tags stand behind; nullopt: it is another packet.
std::optional<std::size_t> comments_begin(CarrierReader& reader, std::uint64_t packet) {
    for (const std::string_view magic : {"OpusTags", "\x03vorbis"})
        if (reader.has(packet, magic)) return magic.size();
    return std::nullopt;
}

// The tags come before all sound, in pages at position 0; -1 has a page in which no packet ends.
bool is_before_sound(CarrierReader& reader, const OggPage& page) {
    const auto position = reader.number(page.begin + 6, 8, std::endian::little);
    return position == 0 || position == ~std::uint64_t{0};
}

// Puts the pieces of a stream's packet together, from a piece of a page on.
std::string ogg_packet(CarrierReader& reader, OggPage page, std::uint64_t piece,
                       std::uint64_t content) {
    std::string packet;
    const auto stream = page.stream;
    while (reader.ok()) {
        ByteRange whole{content, content};
        std::uint64_t length = 255;
        for (; piece < page.pieces && length == 255; ++piece) {
            length = reader.number(page.begin + OggPage::head_size + piece, 1);
            whole.end += length;
        }
        if (page.stream == stream) {
            packet += reader.text(reader.part(reader.all(), whole.begin, whole.size()));
            if (length < 255) return packet;
        }
        // Of another stream's page all is passed over.
        for (; piece < page.pieces; ++piece)
            whole.end += reader.number(page.begin + OggPage::head_size + piece, 1);
        const auto next = ogg_page(reader, whole.end);
        if (!next) {
            reader.fail("ends in the middle");
            break;
        }
        page = *next;
        piece = 0;
        content = page.content();
    }
    return {};
}

void read_ogg_tags(CarrierReader& reader, std::string_view packet, std::size_t begin,
                   CarriedWorkflow& into) {
    const auto bytes = bytes_of(packet);
    CarrierReader tags{bytes};
    read_vorbis_comments(tags, {begin, packet.size()}, into);
    if (!tags.ok()) reader.fail(tags.fault());
}

}  // namespace

void read_id3(CarrierReader& reader, CarriedWorkflow& into) {
    const auto version = reader.number(3, 1);
    const auto flags = reader.number(5, 1);
    const auto tag = reader.part(reader.all(), 10, synchsafe(reader.number(6, 4)));
    if (version < 3 || version > 4) return reader.fail("has tags of an older ID3 than 2.3");
    const auto size_at = [&](std::uint64_t at) {
        const auto size = reader.number(at, 4);
        return version == 4 ? synchsafe(size) : size;
    };
    auto at = tag.begin;
    constexpr std::uint64_t has_extension = 0x40;
    // Of 2.3 its size counts what comes behind the size.
    if (flags & has_extension) at += size_at(at) + (version == 3 ? 4 : 0);
    while (reader.ok() && at < tag.end && tag.end - at > 10) {
        const auto type = reader.number(at, 4);
        if (type == 0) return;  // padding
        auto frame = reader.part(tag, at + 10, size_at(at + 4));
        at = frame.end;
        // Deflated or enciphered.
        const auto format = reader.number(frame.begin - 1, 1);
        if (format & (version == 4 ? 0x0c : 0xc0)) continue;
        if (version == 4 && format & 1 && frame.size() > 4) frame.begin += 4;  // its length again
        if (type == four_letters("TXXX")) read_id3_text(reader.text(frame), 0, into);
        if (type == four_letters("COMM")) read_id3_text(reader.text(frame), 3, into);
    }
}

void read_flac(CarrierReader& reader, CarriedWorkflow& into) {
    bool is_last = false;
    for (std::uint64_t at = 4; reader.ok() && !is_last;) {
        const auto head = reader.number(at, 4);
        is_last = head >> 31;
        const auto block = reader.part(reader.all(), at + 4, head & 0xffffff);
        constexpr std::uint64_t comments = 4;
        if ((head >> 24 & 0x7f) == comments) read_vorbis_comments(reader, block, into);
        at = block.end;
    }
}

void read_ogg(CarrierReader& reader, CarriedWorkflow& into) {
    auto page = ogg_page(reader, 0);
    while (page && reader.ok() && is_before_sound(reader, *page)) {
        auto content = page->content();
        bool is_begin = true;
        for (std::uint64_t piece = 0; piece < page->pieces; ++piece) {
            if (const auto begin = is_begin ? comments_begin(reader, content) : std::nullopt) {
                const auto packet = ogg_packet(reader, *page, piece, content);
                return read_ogg_tags(reader, packet, *begin, into);
            }
            const auto length = reader.number(page->begin + OggPage::head_size + piece, 1);
            is_begin = length < 255;
            content += length;
        }
        page = ogg_page(reader, content);
    }
}

}  // namespace podctl::workflow

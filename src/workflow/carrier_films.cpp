#include "carrier_reader.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>

// The rules are those of ComfyUI_frontend, src/scripts/metadata/isobmff.ts, avif.ts and ebml.ts.
namespace podctl::workflow {
namespace {

// A box of ISO/IEC 14496-12: its type, and what is in it.
struct Box {
    std::uint64_t type = 0;
    ByteRange content;
};

// The comment of iTunes and QuickTime, "©cmt".
constexpr std::uint64_t comment_type = four_letters(
    "\xa9"
    "cmt");

void for_each_box(CarrierReader& reader, ByteRange range,
                  const std::function<void(const Box&)>& visit) {
    for (auto at = range.begin; reader.ok() && range.end - at >= 8;) {
        auto size = reader.number(at, 4);
        std::uint64_t head = 8;
        if (size == 0) size = range.end - at;  // to the end
        if (size == 1) {
            size = reader.number(at + 8, 8);
            head = 16;
        }
        if (size < head) return reader.fail("holds a box smaller than its own head");
        const auto whole = reader.part(range, at, size);
        if (!reader.ok()) return;
        visit({reader.number(at + 4, 4), {at + head, whole.end}});
        at = whole.end;
    }
}

std::optional<ByteRange> find_box(CarrierReader& reader, ByteRange range, std::uint64_t type) {
    std::optional<ByteRange> found;
    for_each_box(reader, range, [&](const Box& box) {
        if (box.type == type && !found) found = box.content;
    });
    return found;
}

// What is in a meta box. That of MP4 has a version first, that of QuickTime has none.
ByteRange meta_content(CarrierReader& reader, ByteRange meta) {
    if (meta.size() >= 8 && !reader.has(meta.begin + 4, "hdlr")) return {meta.begin + 4, meta.end};
    return meta;
}

using MetaKeys = std::map<std::uint64_t, std::string>;

// The names that the items of a list have by number, from 1 on.
MetaKeys meta_keys(CarrierReader& reader, ByteRange keys) {
    MetaKeys names;
    std::uint64_t index = 0;
    if (keys.size() < 8) return names;
    for_each_box(reader, {keys.begin + 8, keys.end}, [&](const Box& box) {
        ++index;
        constexpr std::size_t longest_key = 32;
        auto name = reader.name(box.content, longest_key);
        if (is_carried_key(name)) names[index] = std::move(name);
    });
    return names;
}

// An item's text stands in a box of its own, behind a type and a locale.
void read_meta_item(CarrierReader& reader, const std::string& key, ByteRange item,
                    CarriedWorkflow& into) {
    const auto data = find_box(reader, item, four_letters("data"));
    if (data && data->size() > 8) add_carried(into, key, reader.text({data->begin + 8, data->end}));
}

void read_meta(CarrierReader& reader, ByteRange meta, CarriedWorkflow& into) {
    const auto content = meta_content(reader, meta);
    const auto keys = find_box(reader, content, four_letters("keys"));
    const auto list = find_box(reader, content, four_letters("ilst"));
    if (!list) return;
    const auto names = keys ? meta_keys(reader, *keys) : MetaKeys{};
    for_each_box(reader, *list, [&](const Box& item) {
        if (item.type == comment_type)
            read_meta_item(reader, "comment", item.content, into);
        else if (const auto name = names.find(item.type); name != names.end())
            read_meta_item(reader, name->second, item.content, into);
    });
}

// The user's data, where a text of QuickTime's has two bytes of its length and two of its language.
void read_user_data(CarrierReader& reader, ByteRange data, CarriedWorkflow& into) {
    for_each_box(reader, data, [&](const Box& box) {
        if (box.type == four_letters("meta")) read_meta(reader, box.content, into);
        if (box.type == comment_type && box.content.size() > 4)
            add_carried(into, "comment",
                        reader.text(reader.part(box.content, box.content.begin + 4,
                                                reader.number(box.content.begin, 2))));
    });
}

// Of the items of an AVIF, the number of the one that is EXIF.
std::optional<std::uint64_t> exif_item(CarrierReader& reader, ByteRange information) {
    std::optional<std::uint64_t> found;
    const std::uint64_t head = reader.number(information.begin, 1) == 0 ? 6 : 8;
    if (information.size() < head) return found;
    for_each_box(reader, {information.begin + head, information.end}, [&](const Box& box) {
        if (box.type != four_letters("infe") || found) return;
        const std::size_t id_size = reader.number(box.content.begin, 1) == 2 ? 2 : 4;
        const auto id = box.content.begin + 4;
        if (reader.has(id + id_size + 2, "Exif")) found = reader.number(id, id_size);
    });
    return found;
}

// Where the first extent of an item is in the file.
std::optional<ByteRange> item_place(CarrierReader& reader, ByteRange location, std::uint64_t item) {
    const auto version = reader.number(location.begin, 1);
    const auto sizes = reader.number(location.begin + 4, 2);
    const std::size_t offset_size = sizes >> 12 & 15, length_size = sizes >> 8 & 15,
                      base_size = sizes >> 4 & 15, index_size = version == 0 ? 0 : sizes & 15;
    if (std::max({offset_size, length_size, base_size, index_size}) > 8) return std::nullopt;
    const std::size_t id_size = version < 2 ? 2 : 4;
    auto at = location.begin + 6;
    const auto count = reader.number(at, id_size);
    at += id_size;
    for (std::uint64_t i = 0; reader.ok() && i < count; ++i) {
        const auto id = reader.number(at, id_size);
        at += id_size + (version == 0 ? 0 : 2) + 2;
        const auto base = reader.number(at, base_size);
        at += base_size;
        const auto extents = reader.number(at, 2);
        at += 2;
        const auto offset = base + reader.number(at + index_size, offset_size);
        const auto length = reader.number(at + index_size + offset_size, length_size);
        if (id == item && extents > 0) return reader.part(reader.all(), offset, length);
        at += extents * (index_size + offset_size + length_size);
    }
    return std::nullopt;
}

// A number of EBML's (RFC 8794), whose first byte says by its first bit how many there are.
struct EbmlNumber {
    std::uint64_t value = 0;  // with that bit, as ids have it
    std::size_t bytes = 0;
    bool is_unknown = false;  // a size that nobody knew when it was written: all bits are set
};

EbmlNumber ebml_number(CarrierReader& reader, std::uint64_t at, std::size_t longest) {
    const auto first = static_cast<unsigned char>(reader.number(at, 1));
    const auto bytes = static_cast<std::size_t>(std::countl_zero(first)) + 1;
    if (bytes > longest) {
        reader.fail("holds what is no element of EBML");
        return {};
    }
    const auto marked = reader.number(at, bytes);
    const auto marker = std::uint64_t{1} << 7 * bytes;
    return {marked, bytes, (marked & (marker - 1)) == marker - 1};
}

std::uint64_t without_marker(const EbmlNumber& number) {
    return number.value & ((std::uint64_t{1} << 7 * number.bytes) - 1);
}

enum ElementId : std::uint64_t {
    segment_id = 0x18538067,
    cluster_id = 0x1F43B675,
    tags_id = 0x1254C367,
    tag_id = 0x7373,
    simple_tag_id = 0x67C8,
    tag_name_id = 0x45A3,
    tag_text_id = 0x4487,
};

}  // namespace

void read_isobmff(CarrierReader& reader, CarriedWorkflow& into) {
    for_each_box(reader, reader.all(), [&](const Box& box) {
        if (box.type == four_letters("udta")) read_user_data(reader, box.content, into);
        if (box.type != four_letters("moov")) return;
        for_each_box(reader, box.content, [&](const Box& inner) {
            if (inner.type == four_letters("udta")) read_user_data(reader, inner.content, into);
            if (inner.type == four_letters("meta")) read_meta(reader, inner.content, into);
        });
    });
}

void read_avif(CarrierReader& reader, CarriedWorkflow& into) {
    const auto meta = find_box(reader, reader.all(), four_letters("meta"));
    if (!meta) return;
    const auto content = meta_content(reader, *meta);
    const auto information = find_box(reader, content, four_letters("iinf"));
    const auto location = find_box(reader, content, four_letters("iloc"));
    if (!information || !location) return;
    const auto item = exif_item(reader, *information);
    if (!item) return;
    const auto place = item_place(reader, *location, *item);
    if (!place || place->size() < 4) return;
    // Before the block there is how far it is away.
    const auto before = 4 + reader.number(place->begin, 4);
    if (before < place->size()) read_exif(reader, {place->begin + before, place->end}, into);
}

// What is not looked into is passed over by its size. No end of what is looked into needs to be
// known: the ids tell where the next begins, also where a size is unknown.
void read_matroska(CarrierReader& reader, CarriedWorkflow& into) {
    const auto file = reader.all();
    std::string name;
    std::optional<ByteRange> text;
    for (std::uint64_t at = 0; reader.ok() && at < file.end;) {
        const auto id = ebml_number(reader, at, 4);
        const auto size = ebml_number(reader, at + id.bytes, 8);
        at += id.bytes + size.bytes;
        const bool is_open = id.value == segment_id || id.value == tags_id || id.value == tag_id ||
                             id.value == simple_tag_id ||
                             (id.value == cluster_id && size.is_unknown);
        if (id.value == simple_tag_id) {
            name.clear();
            text.reset();
        }
        if (is_open || !reader.ok()) continue;
        const auto content = reader.part(file, at, without_marker(size));
        constexpr std::size_t longest_name = 32;
        if (id.value == tag_name_id) name = reader.name(content, longest_name);
        if (id.value == tag_text_id) text = content;
        if (text && is_carried_key(name)) {
            add_carried(into, name, reader.text(*text));
            name.clear();
        }
        at = content.end;
    }
}

}  // namespace podctl::workflow

#include "podctl/workflow/carrier.hpp"

#include "carriers.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <zlib.h>

#include <map>

namespace podctl::workflow::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const std::string graph = R"({"nodes": [{"id": 1, "type": "A"}], "links": []})";
const std::string api = R"({"1": {"class_type": "A", "inputs": {"text": "é {"}}})";
const Texts both{{"prompt", api}, {"workflow", graph}};
const Texts both_upper{{"PROMPT", api}, {"WORKFLOW", graph}};
// As VideoHelperSuite writes them into one comment.
const std::string in_comment = json{{"prompt", api}, {"workflow", json::parse(graph)}}.dump();

// What a file that is there carries.
CarriedWorkflow carried(const std::string& file) {
    const auto found = find_carried(bytes_of(file));
    if (found) return *found;
    ADD_FAILURE() << "it is of no format that carries one";
    return {};
}

void expect_both(const std::string& file, const std::string& carrier) {
    SCOPED_TRACE(carrier);
    const auto found = carried(file);
    EXPECT_EQ(found.carrier, carrier);
    EXPECT_EQ(json::parse(found.workflow, nullptr, false), json::parse(graph)) << found.fault;
    EXPECT_EQ(found.prompt, api);
    EXPECT_EQ(found.fault, "");
}

std::string deflated(const std::string& text) {
    std::string packed(compressBound(text.size()), '\0');
    auto size = static_cast<uLongf>(packed.size());
    EXPECT_EQ(compress(reinterpret_cast<Bytef*>(packed.data()), &size,
                       reinterpret_cast<const Bytef*>(text.data()), text.size()),
              Z_OK);
    packed.resize(size);
    return packed;
}

std::string utf16(const std::string& ascii) {
    std::string text = "\xff\xfe";
    for (const char c : ascii)
        text += std::string{c} + zero();
    return text;
}

TEST(Carrier, Png) {
    expect_both(png(both), "PNG");
    expect_both(png(both, "comf"), "PNG");
    const auto international = [](const std::string& flags, const std::string& text) {
        return png_chunk("iTXt",
                         "workflow" + zero() + flags + "en" + zero() + "Ablauf" + zero() + text);
    };
    const auto prompt = png_chunk("tEXt", "prompt" + zero() + api);
    expect_both(png_of(international(big(0, 2), graph) + prompt), "PNG");
    expect_both(png_of(international(big(0x100, 2), deflated(graph)) + prompt), "PNG");
    expect_both(png_of(png_chunk("zTXt", "workflow" + zero() + zero() + deflated(graph)) + prompt),
                "PNG");
}

TEST(Carrier, WebP) {
    const std::vector<std::string> texts{"workflow:" + graph, "prompt:" + api};
    expect_both(webp(exif(texts)), "WebP");
    expect_both(webp(exif(texts, big)), "WebP");
    expect_both(webp(std::string{"Exif\0\0", 6} + exif(texts)), "WebP");
    expect_both(webp(exif({"Workflow: " + graph, "Prompt:" + api})), "WebP");
}

TEST(Carrier, Mp4) {
    expect_both(mp4(box("udta", mdta_meta(both))), "MP4");
    expect_both(mp4(mdta_meta(both)), "MP4");
    expect_both(mp4(box("udta", mdta_meta(both, "")), "qt  "),
                "MP4");  // QuickTime's has no version
    expect_both(box("ftyp", "M4V ") + box("udta", mdta_meta(both)), "MP4");
}

// A film of more than 4 GiB, and what has no size goes to the end.
TEST(Carrier, Mp4WithLongSizes) {
    const auto moov = box("udta", mdta_meta(both));
    expect_both(box("ftyp", "isom") + big(1) + "mdat" + big(16 + 100, 8) + std::string(100, 'm') +
                    big(0) + "moov" + moov,
                "MP4");
}

TEST(Carrier, CommentOfVideoHelperSuite) {
    const auto comment =
        box("\xa9"
            "cmt",
            data_box(in_comment));
    expect_both(mp4(box("udta", box("meta", big(0) + box("hdlr", std::string(25, 'h')) +
                                                box("ilst", comment)))),
                "MP4");
    expect_both(mp4(box("udta", box("\xa9"
                                    "cmt",
                                    big(in_comment.size(), 2) + big(0, 2) + in_comment) +
                                    big(0))),
                "MP4");
    expect_both(webm(matroska_tags({{"COMMENT", in_comment}})), "WebM");
    expect_both(flac({{"comment", in_comment}}), "FLAC");
    expect_both(mp3(id3_frame("COMM",
                              "\x03"
                              "eng" +
                                  zero() + in_comment)),
                "MP3");
}

// ComfyUI writes what a film had as JSON again when it saves it anew.
TEST(Carrier, JsonWithinJsonIsTakenOut) {
    const auto again = [](const std::string& text) { return json(text).dump(); };
    expect_both(mp4(mdta_meta({{"prompt", again(again(api))}, {"workflow", again(graph)}})), "MP4");
}

TEST(Carrier, Matroska) {
    const auto tags = matroska_tags(both_upper);
    const auto cluster = element(0x1F43B675, 4, std::string(3000, 'c'));
    expect_both(webm(tags + cluster), "WebM");
    expect_both(webm(cluster + tags), "WebM");
    // As a recorder writes them, which does not know how long it is going to be.
    const auto block = element(0xA3, 1, std::string(300, 'b'));
    expect_both(element(0x1A45DFA3, 4, "doctype") + unknown_size(0x18538067, 4) +
                    unknown_size(0x1F43B675, 4) + block + block + tags,
                "WebM");
}

TEST(Carrier, Mp3) {
    std::string frames = id3_frame("TSSE", "\x03Lavf");
    for (const auto& [key, text] : both)
        frames += id3_frame("TXXX", "\x03" + key + zero() + text);
    expect_both(mp3(frames), "MP3");
}

TEST(Carrier, Mp3InTheOtherEncodings) {
    const std::string ascii = R"({"1": {"class_type": "A"}})";
    const auto prompt_of = [](const std::string& content, char version) {
        // The sizes of 2.3 are plain numbers, and these are small.
        return carried(mp3(id3_frame("TXXX", content), version)).prompt;
    };
    EXPECT_EQ(prompt_of(zero() + "prompt" + zero() +
                            R"({"a": ")"
                            "\xe9\"}",
                        4),
              R"({"a": "é"})");
    EXPECT_EQ(prompt_of("\x01" + utf16("prompt") + zero() + zero() + utf16(ascii), 3), ascii);
}

TEST(Carrier, FlacAndOgg) {
    expect_both(flac(both), "FLAC");
    expect_both(opus(both), "Ogg");
    expect_both(
        ogg_pages("\x01vorbis", 0) + ogg_pages("\x03vorbis" + vorbis_comments(both_upper), 0),
        "Ogg");
}

TEST(Carrier, OggPacketOverManyPagesBetweenAnothersPages) {
    const auto packet =
        "OpusTags" +
        vorbis_comments({{"x", std::string(2000, 'x')}, {"prompt", api}, {"workflow", graph}});
    const auto tags = ogg_pages(packet, 0, 7, 3);
    const auto second = tags.find("OggS", 4);
    expect_both(ogg_pages("OpusHead", 0, 7) + ogg_pages("\x01video", 0, 8) +
                    tags.substr(0, second) + ogg_pages(std::string(1000, 'v'), 0, 8) +
                    tags.substr(second),
                "Ogg");
}

TEST(Carrier, SvgGlbAndSafetensors) {
    const auto object = R"({"prompt": )" + api + R"(, "workflow": )" + graph + "}";
    const auto svg = carried("<?xml version=\"1.0\"?>\n<svg><metadata>\n<![CDATA[\n" + object +
                             "\n]]>\n</metadata></svg>");
    EXPECT_EQ(svg.carrier, "SVG");
    EXPECT_EQ(json::parse(svg.prompt), json::parse(api));
    EXPECT_EQ(json::parse(svg.workflow), json::parse(graph));
    const json texts{{"prompt", api}, {"workflow", graph}};
    expect_both(glb(json{{"asset", {{"extras", texts}}}}.dump()), "GLB");
    expect_both(safetensors(json{{"__metadata__", texts}, {"latent_tensor", {}}}.dump()),
                "safetensors");
}

TEST(Carrier, Avif) {
    const auto block = big(0) + exif({"workflow:" + graph, "prompt:" + api});
    const auto item = box("infe", big(0x02000000) + big(3, 2) + big(0, 2) + "Exif" + zero());
    const auto picture = box("infe", big(0x02000000) + big(1, 2) + big(0, 2) + "av01" + zero());
    const auto meta_of = [&](std::uint64_t place) {
        const auto extent = [](std::uint64_t id, std::uint64_t at, std::uint64_t size) {
            return big(id, 2) + big(0, 2) + big(1, 2) + big(at) + big(size);
        };
        return box("meta", big(0) + box("hdlr", std::string(25, 'h')) +
                               box("iinf", big(0) + big(2, 2) + picture + item) +
                               box("iloc", big(0) + big(0x4400, 2) + big(2, 2) + extent(1, 9, 9) +
                                               extent(3, place, block.size())));
    };
    const auto head = box("ftyp", "avif");
    const auto place = head.size() + meta_of(0).size() + 8;
    expect_both(head + meta_of(place) + box("mdat", block), "AVIF");
}

TEST(Carrier, JsonIsNone) {
    for (const std::string& text : {graph, api, " \n" + api, std::string{}, std::string{"[1]"},
                                    "\xEF\xBB\xBF" + api, std::string{"<html></html>"}})
        EXPECT_FALSE(find_carried(bytes_of(text))) << text;
}

TEST(Carrier, WhatCarriesNothingSaysSo) {
    for (const auto& file :
         {png({{"Software", "gimp"}}), webp(exif({"Canon"})), mp4(""), webm(""), mp3(""), flac({}),
          opus({}), glb("{\"asset\":{}}"), safetensors("{\"t\":{}}"), std::string{"<svg></svg>"},
          png({{"workflow", "{}"}, {"prompt", "null"}})}) {
        const auto found = carried(file);
        EXPECT_EQ(found.workflow + found.prompt + found.fault, "") << found.carrier;
    }
}

TEST(Carrier, TellsThatAFileIsCut) {
    const auto prompt_first = png(both);
    const auto cut = carried(prompt_first.substr(0, prompt_first.find("workflow") + 20));
    EXPECT_EQ(cut.prompt, api);  // which stood before the cut
    EXPECT_EQ(cut.workflow, "");
    EXPECT_EQ(cut.fault, "ends in the middle");
    const auto film = mp4(mdta_meta(both));
    EXPECT_EQ(carried(film.substr(0, 2000)).fault, "ends in the middle");
    EXPECT_THAT(carried("\xff\xd8\xff\xe0").fault, HasSubstr("reads no workflow"));
}

// Every cut and every broken byte is read to an end, with no byte beyond the file.
TEST(Carrier, BrokenFilesAreNoHarm) {
    const std::vector<std::string> texts{"workflow:" + graph, "prompt:" + api};
    for (const auto& file : {png(both), webp(exif(texts)), mp4(box("udta", mdta_meta(both))),
                             webm(matroska_tags(both_upper)), flac(both), opus(both),
                             safetensors(json{{"__metadata__", {{"prompt", api}}}}.dump())}) {
        for (std::size_t at = 0; at < file.size(); ++at) {
            find_carried(bytes_of(std::string_view{file}.substr(0, at)));
            auto broken = file;
            for (const char byte : {'\xff', '\0', '\x7f'}) {
                broken[at] = byte;
                find_carried(bytes_of(broken));
            }
        }
    }
}

// A source that counts what is read of it, and is as large as it says without having the bytes.
struct Film {
    std::map<std::uint64_t, std::string> parts;
    std::uint64_t size = 0, bytes_read = 0;

    void add(const std::string& part) {
        parts[size] = part;
        size += part.size();
    }
    ByteSource source() {
        return {size, [this](std::uint64_t offset, std::span<char> buffer) {
                    bytes_read += buffer.size();
                    std::fill(buffer.begin(), buffer.end(), '\0');
                    for (const auto& [begin, part] : parts)
                        for (std::size_t i = 0; i < buffer.size(); ++i)
                            if (offset + i >= begin && offset + i - begin < part.size())
                                buffer[i] = part[static_cast<std::size_t>(offset + i - begin)];
                    return static_cast<std::size_t>(
                        std::min<std::uint64_t>(buffer.size(), size - offset));
                }};
    }
};

TEST(Carrier, OfAFilmOnlyTheWayToItsTextsIsRead) {
    constexpr std::uint64_t gigabytes = 30'000'000'000;
    Film film;
    film.add(box("ftyp", "isom") + big(1) + "mdat" + big(16 + gigabytes, 8));
    film.size += gigabytes;
    film.add(box("moov", box("udta", mdta_meta(both))));
    const auto found = find_carried(film.source());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->workflow, graph);
    EXPECT_LT(film.bytes_read, 20'000u);
}

TEST(Carrier, WhatAsksForTooMuchIsGivenUp) {
    // Thousands of entries whose value is one and the same large text.
    std::string entries;
    const std::string text = "prompt:" + std::string(8u << 20, 'x');
    for (int i = 0; i < 5000; ++i)
        entries += little(0x10f, 2) + little(2, 2) + little(text.size()) + little(8 + 2 + 60'000);
    const auto repeated =
        carried(webp("II" + little(42, 2) + little(8) + little(5000, 2) + entries + text));
    EXPECT_THAT(repeated.fault, HasSubstr("too many parts"));
    // A bomb: each chunk is small, and its text is not.
    std::string bombs;
    const auto bomb = deflated(std::string(60u << 20, 'x'));
    for (int i = 0; i < 100; ++i)
        bombs += png_chunk("zTXt", "prompt" + zero() + zero() + bomb);
    EXPECT_THAT(carried(png_of(bombs)).fault, HasSubstr("too many parts"));
    const auto too_large = deflated(std::string(70u << 20, 'x'));
    EXPECT_THAT(carried(png_of(png_chunk("zTXt", "prompt" + zero() + zero() + too_large))).fault,
                HasSubstr("cannot be inflated"));
}

TEST(Carrier, AWorkflowMayHave64MiB) {
    const auto large = "{\"a\": \"" + std::string(70u << 20, 'x') + "\"}";
    EXPECT_THAT(carried(png({{"workflow", large}})).fault, HasSubstr("more than 64 MiB"));
}

}  // namespace
}  // namespace podctl::workflow::test

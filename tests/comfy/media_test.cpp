#include "media.hpp"

#include "podctl/base/error.hpp"

#include "support/comfyui.hpp"
#include "support/error_of.hpp"

#include <gmock/gmock.h>

namespace podctl::comfy {
namespace {

using ::testing::HasSubstr;

Media inspect(const std::string& name, const std::string& bytes) {
    FileSample sample;
    // As they come from the network.
    for (std::size_t at = 0; at < bytes.size(); at += 1000)
        sample.add(std::string_view(bytes).substr(at, 1000));
    EXPECT_EQ(sample.size(), bytes.size());
    return inspect_media(name, sample);
}

std::string fault_of(const std::string& name, const std::string& bytes) {
    const auto error = test::error_of([&] { inspect(name, bytes); });
    EXPECT_EQ(error.kind(), ErrorKind::smoke);
    return error.message();
}

std::string bytes(std::initializer_list<int> values) {
    std::string out;
    for (const int value : values)
        out += static_cast<char>(value);
    return out;
}

// APP1 of the largest size there is, then the frame's header: 48 high, 64 wide.
std::string jpeg() {
    return bytes({0xFF, 0xD8, 0xFF, 0xE1, 0xFF, 0xFF}) + std::string(0xFFFD, 'e') +
           bytes({0xFF, 0xC0, 0, 17, 8, 0, 48, 0, 64, 3}) + std::string(400, 'x') +
           bytes({0xFF, 0xD9});
}

std::string webp(const std::string& chunk, const std::string& rest) {
    const std::string body = "WEBP" + chunk + rest;
    const auto size = static_cast<int>(body.size());
    return "RIFF" + bytes({size & 0xFF, size >> 8, 0, 0}) + body;
}

TEST(Media, ReadsTheSizeOfEveryKindOfImage) {
    const std::vector<std::tuple<std::string, std::string, std::string>> images{
        {"a.png", "png", test::png_bytes(64, 48)},
        {"a.jpg", "jpeg", jpeg()},
        {"a.gif", "gif", "GIF89a" + bytes({64, 0, 48, 0, 0, 0, 0}) + "..;"},
        {"a.webp", "webp",
         webp("VP8 ", bytes({10, 0, 0, 0, 0, 0, 0, 0x9D, 1, 0x2A, 64, 0, 48, 0}))},
        {"a.webp", "webp",
         webp("VP8L", bytes({10, 0, 0, 0, 0x2F, 63, 0xC0, 11, 0, 0, 0, 0, 0, 0}))},
        {"a.webp", "webp", webp("VP8X", bytes({10, 0, 0, 0, 0, 0, 0, 0, 63, 0, 0, 47, 0, 0}))},
    };
    for (const auto& [name, format, content] : images) {
        const auto media = inspect(name, content);
        EXPECT_EQ(media.format, format);
        EXPECT_EQ(media.width, 64u) << format;
        EXPECT_EQ(media.height, 48u) << format;
    }
}

struct Film {
    std::string name, format, content;
};
// The smallest of their kinds.
std::vector<Film> films() {
    const auto ebml = bytes({0x1A, 0x45, 0xDF, 0xA3, 0x81, 0}) + bytes({0x18, 0x53, 0x80, 0x67});
    const auto cluster = bytes({0x1F, 0x43, 0xB6, 0x75, 0x84}) + "time";
    return {
        {"a.MP4", "mp4", test::mp4_bytes()},
        {"a.webm", "webm", ebml + bytes({0x80 + 9}) + cluster},
        {"a.mkv", "webm", ebml + bytes({0xFF}) + cluster},  // of a stream
        {"a.wav", "wav", "RIFF" + bytes({16, 0, 0, 0}) + "WAVEdata" + bytes({4, 0, 0, 0}) + "...."},
        {"a.flac", "flac", "fLaC" + bytes({0x80, 0, 0, 34}) + std::string(34, 's') + "frame"},
        {"a.ogg", "ogg", "OggS" + bytes({0, 4}) + std::string(21, '.')},
        {"a.mp3", "mp3", "ID3" + bytes({4, 0, 0, 0, 0, 0, 2}) + "..frame"},
        {"a.glb", "glb", "glTF" + bytes({2, 0, 0, 0, 24, 0, 0, 0}) + "............"}};
}

TEST(Media, TellsThatAnImageIsCutOff) {
    const auto png = test::png_bytes(64, 48);
    EXPECT_THAT(fault_of("a.png", png.substr(0, png.size() - 1)),
                HasSubstr("a png that is cut off"));
    EXPECT_THAT(fault_of("a.png", png.substr(0, 20)), HasSubstr("cut off"));
    EXPECT_THAT(fault_of("a.jpg", jpeg().substr(0, 0x10020)), HasSubstr("a jpeg that is cut off"));
    EXPECT_THAT(fault_of("a.jpg", jpeg().substr(0, 40) + "\xFF\xD9"), HasSubstr("cut off"));
    EXPECT_THAT(fault_of("a.gif", "GIF89a" + bytes({64, 0, 48, 0, 0, 0, 0})), HasSubstr("cut off"));
    const auto whole = webp("VP8X", bytes({10, 0, 0, 0, 0, 0, 0, 0, 63, 0, 0, 47, 0, 0}) + "....");
    EXPECT_THAT(fault_of("a.webp", whole.substr(0, whole.size() - 1)), HasSubstr("cut off"));
}

TEST(Media, RefusesWhatIsNotWhatItsNameSays) {
    EXPECT_THAT(fault_of("a.png", ""), HasSubstr("a.png is empty"));
    EXPECT_THAT(fault_of("a.png", "<!doctype html>"), HasSubstr("a.png is no image"));
    EXPECT_THAT(fault_of("a.png", test::png_bytes(0, 48)), HasSubstr("0x48 pixels"));
    EXPECT_THAT(fault_of("a.mp4", test::png_bytes(8, 8)), HasSubstr("is no mp4 but png"));
    EXPECT_THAT(fault_of("a.mp4", "<!doctype html>"), HasSubstr("is no mp4"));
    EXPECT_THAT(fault_of("a.flac", "OggS"), HasSubstr("is no flac"));
}

TEST(Media, KnowsVideosAndSoundsByTheirBeginning) {
    for (const auto& [name, format, content] : films())
        EXPECT_EQ(inspect(name, content).format, format);
}

// "A 12-byte film is no film."
TEST(Media, AFilmOfNothingButItsBeginningIsNone) {
    EXPECT_THAT(fault_of("a.mp4", bytes({0, 0, 0, 12}) + "ftypisom"),
                HasSubstr("is a mp4 that is cut off, or holds nothing"));
    for (const auto& [name, format, content] : films()) {
        const auto begin = content.substr(0, 12);
        EXPECT_THAT(fault_of(name, begin), HasSubstr("cut off")) << name;
    }
}

// Before its frames, or in them as far as that can be told.
TEST(Media, AFilmThatIsCutOffIsNone) {
    for (const auto& [name, format, content] : films()) {
        if (format == "mp3" || format == "flac") continue;  // frames alone, to the end
        EXPECT_THAT(fault_of(name, content.substr(0, content.size() - 9)), HasSubstr("cut off"))
            << name;
    }
}

TEST(Media, AFilmsIndexMayBeBehindItsFrames) {
    const std::string frames(3 << 20, 'f');
    const auto size = frames.size() + 8;
    const auto head = bytes({0, 0, 0, 12}) + "ftypisom" +
                      bytes({static_cast<int>(size >> 24), static_cast<int>(size >> 16 & 0xFF),
                             static_cast<int>(size >> 8 & 0xFF), static_cast<int>(size & 0xFF)}) +
                      "mdat" + frames;
    EXPECT_EQ(inspect("a.mp4", head + bytes({0, 0, 0, 8}) + "moov").format, "mp4");
    EXPECT_THAT(fault_of("a.mp4", head), HasSubstr("holds nothing"));
}

TEST(Media, AnImageMayBeOfAnotherKindThanItsName) {
    EXPECT_EQ(inspect("a.jpg", test::png_bytes(8, 8)).format, "png");
}

TEST(Media, WhatItDoesNotKnowNeedsNoMoreThanABeginning) {
    EXPECT_EQ(inspect("a.latent", "anything").format, "");
}

TEST(Media, ALargeFileIsNotKept) {
    FileSample sample;
    const std::string block(1 << 20, 'x');
    for (int i = 0; i < 20; ++i)
        sample.add(block);
    EXPECT_EQ(sample.size(), 20u << 20);
    EXPECT_LE(sample.head().size() + sample.tail().size(), 2u << 20);
}

}  // namespace
}  // namespace podctl::comfy

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/download/download.hpp"

#include "support/hub.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

namespace podctl::download {
namespace {

std::string with_header(const std::string& header, std::size_t data) {
    std::string bytes;
    for (int i = 0; i < 8; ++i)
        bytes += static_cast<char>(header.size() >> (8 * i) & 0xFF);
    return bytes + header + std::string(data, 'x');
}

bool is_accepted(const std::string& bytes, const std::string& name) {
    test::TempDir dir;
    write_file_atomically(dir / "file", bytes);
    try {
        check_model_format(dir / "file", name);
        return true;
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::integrity);
        return false;
    }
}

TEST(ModelFormat, AcceptsSoundFiles) {
    EXPECT_TRUE(is_accepted(test::safetensors_bytes(1000), "m.safetensors"));
    EXPECT_TRUE(is_accepted(with_header(R"({"__metadata__":{"a":"b"}})", 0), "m.SafeTensors"));
    EXPECT_TRUE(is_accepted(with_header(R"({"b":{"dtype":"F16","shape":[2],"data_offsets":[4,8]},)"
                                        R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}} )",
                                        8),
                            "m.safetensors"));
    EXPECT_TRUE(is_accepted("GGUF\x03", "m.gguf"));
    EXPECT_TRUE(is_accepted("<html></html>", "page.html"));
    EXPECT_TRUE(is_accepted("", "__init__.py"));
}

TEST(ModelFormat, RefusesDamagedSafetensors) {
    const auto tensor = [](const std::string& rest, std::size_t data) {
        return with_header(R"({"a":{"dtype":"U8","shape":[4],)" + rest + "}}", data);
    };
    const auto sound = tensor(R"("data_offsets":[0,4])", 4);
    EXPECT_TRUE(is_accepted(sound, "m.safetensors"));
    for (const auto& bytes :
         {std::string{}, std::string("1234567"), sound.substr(0, sound.size() - 1), sound + "x",
          std::string(8, '\xFF') + "{}", with_header("not json", 0), with_header("[]", 0),
          with_header("", 0), tensor(R"("data_offsets":[4,0])", 4),
          tensor(R"("data_offsets":[1,5])", 5), tensor(R"("data_offsets":[0,8])", 8),
          tensor(R"("data_offsets":"x")", 4), tensor(R"("x":1)", 4),
          with_header(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                      R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                      1),
          with_header(
              R"({"a":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0),
          with_header(R"({"__metadata__":{"a":1}})", 0)})
        EXPECT_FALSE(is_accepted(bytes, "m.safetensors")) << bytes.substr(0, 100);
}

TEST(ModelFormat, RefusesPagesAndPointersUnderAnyModelsName) {
    EXPECT_FALSE(is_accepted("\xEF\xBB\xBF <HTML>", "m.ckpt"));
    EXPECT_FALSE(is_accepted("<!doctype html>", "m.zip"));
    EXPECT_FALSE(is_accepted("version https://git-lfs.github.com/spec/v1\n", "m.bin"));
    EXPECT_FALSE(is_accepted("PK", "m.gguf"));
    EXPECT_FALSE(is_accepted("", "m.pt"));
}

// As is_accepted, but from the first bytes of a file of `size`.
bool may_start(const std::string& first, std::optional<std::uint64_t> size,
               const std::string& name) {
    try {
        check_model_start(first, size, name);
        return true;
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::integrity);
        EXPECT_FALSE(error.hint().empty());
        return false;
    }
}

// The format allows 100 MB of header; nobody has made a model with more than a few.
TEST(ModelFormat, RefusesAHeaderThatIsLargerThanAnyModels) {
    const auto start = [](std::uint64_t length) {
        std::string bytes;
        for (int i = 0; i < 8; ++i)
            bytes += static_cast<char>(length >> (8 * i) & 0xFF);
        return bytes + "{\"a\"";
    };
    EXPECT_TRUE(may_start(start(25'000'000), 1u << 30, "m.safetensors"));
    EXPECT_FALSE(may_start(start(25'000'001), 1u << 30, "m.safetensors"));
    EXPECT_FALSE(may_start(start(90'000'000), {}, "m.sft"));
}

TEST(ModelFormat, IsToldByTheFirstBytes) {
    const auto sound = test::safetensors_bytes(100'000);
    const auto first = sound.substr(0, 512);
    EXPECT_TRUE(may_start(first, sound.size(), "m.safetensors"));
    EXPECT_TRUE(may_start(first, std::nullopt, "m.safetensors"));
    EXPECT_TRUE(may_start(sound, sound.size(), "m.safetensors"));
    // A header that is longer than what has come.
    EXPECT_TRUE(may_start(with_header("{" + std::string(5000, ' '), 0).substr(0, 512),
                          6'000'000'000, "m.safetensors"));
    EXPECT_TRUE(may_start("GGUF\x03", 6'000'000'000, "m.gguf"));
    EXPECT_TRUE(may_start(std::string(512, 'x'), 6'000'000'000, "m.onnx"));
    EXPECT_TRUE(may_start("", 0, "__init__.py"));

    EXPECT_FALSE(may_start(first, 64, "m.safetensors"));
    EXPECT_FALSE(may_start(std::string(512, 'x'), std::nullopt, "m.safetensors"));
    EXPECT_FALSE(may_start(with_header("[" + std::string(600, ' '), 0), std::nullopt, "m.sft"));
    EXPECT_FALSE(may_start(std::string(8, '\0'), std::nullopt, "m.safetensors"));
    EXPECT_FALSE(may_start("1234567", std::nullopt, "m.safetensors"));
    EXPECT_FALSE(may_start("", std::nullopt, "m.ckpt"));
    EXPECT_FALSE(may_start("", 0, "m.safetensors"));
    EXPECT_FALSE(may_start("PK\3\4", 6'000'000'000, "m.gguf"));
    EXPECT_FALSE(may_start("<!DOCTYPE html>", std::nullopt, "m.bin"));
    EXPECT_FALSE(may_start("version https://git-lfs.github.com/spec/v1", 130, "m.txt"));
    EXPECT_FALSE(may_start("version https://hawser.github.com/spec/v1", 130, "m.bin"));
}

TEST(ModelFormat, RefusesAServersErrorInPlaceOfAModel) {
    for (const char* body : {R"({"error":"Unauthorized"})", "{ \"error\" : {\"message\":\"x\"}}",
                             "\n{\"message\": \"no\"}", "<Error><Code>AccessDenied</Code></Error>",
                             "<?xml version=\"1.0\"?><Error/>"}) {
        for (const char* name : {"m.ckpt", "m.pt", "m.bin", "m.onnx", "m.zip", "m.safetensors"})
            EXPECT_FALSE(is_accepted(body, name)) << name << body;
        EXPECT_TRUE(is_accepted(body, "config.json"));
    }
    // A file of that size is no error object.
    EXPECT_TRUE(may_start(R"({"error":)", 6'000'000'000, "m.bin"));
}

TEST(ModelFormat, WantsTheMarkOfAZipAndNoneOfAPickle) {
    EXPECT_TRUE(is_accepted("PK\3\4rest", "m.zip"));
    EXPECT_TRUE(is_accepted("PK\5\6" + std::string(18, '\0'), "m.ZIP"));
    EXPECT_FALSE(is_accepted("Rar!", "m.zip"));
    EXPECT_FALSE(is_accepted("", "m.zip"));
    for (const char* start : {"PK\3\4", "\x80\x02}q", "\x80\x05\x95", "(dp0\n", "archive/data.pkl"})
        EXPECT_TRUE(is_accepted(start, "m.pt")) << start;
}

}  // namespace
}  // namespace podctl::download

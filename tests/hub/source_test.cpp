#include "podctl/hub/source.hpp"

#include "podctl/base/error.hpp"

#include "support/set_env.hpp"

#include <gmock/gmock.h>

namespace podctl::hub {
namespace {

using testing::HasSubstr;
using testing::Not;

CivitaiSource civitai(std::string_view text) {
    return std::get<CivitaiSource>(parse_source(text).location);
}

HuggingFaceSource hugging_face(std::string_view text) {
    return std::get<HuggingFaceSource>(parse_source(text).location);
}

TEST(Source, TakesACivitaiModelPageWithAVersion) {
    const auto source = civitai(
        "https://civitai.com/models/299933/halcyon-sdxl-photorealism?modelVersionId=610541");
    EXPECT_EQ(source.model, 299933);
    EXPECT_EQ(source.version, 610541);
    EXPECT_EQ(source.origin, "https://civitai.com");
}

TEST(Source, TakesACivitaiPageWithoutSlugOrVersionAndTheOtherOrigin) {
    const auto source = civitai("https://civitai.red/models/299933");
    EXPECT_EQ(source.model, 299933);
    EXPECT_FALSE(source.version);
    EXPECT_EQ(source.origin, "https://civitai.red");
}

TEST(Source, TakesADownloadUrlWithItsFilters) {
    const auto source = civitai(
        "https://civitai.com/api/download/models/"
        "610541?type=Model&format=SafeTensor&size=pruned&fp=fp16");
    EXPECT_EQ(source.version, 610541);
    EXPECT_FALSE(source.model);
    EXPECT_EQ(source.type, "Model");
    EXPECT_EQ(source.format, "SafeTensor");
    EXPECT_EQ(source.size, "pruned");
    EXPECT_EQ(source.precision, "fp16");
    EXPECT_EQ(civitai("https://civitai.com/api/download/models/1?fileId=77").file, 77);
}

TEST(Source, TakesTheApisUrls) {
    const std::string hash(64, 'A');
    EXPECT_EQ(civitai("https://civitai.com/api/v1/model-versions/610541").version, 610541);
    EXPECT_EQ(civitai("https://civitai.com/api/v1/models/299933").model, 299933);
    EXPECT_EQ(civitai("https://civitai.com/api/v1/model-versions/by-hash/" + hash).sha256,
              std::string(64, 'a'));
}

TEST(Source, TakesAnAirWithAndWithoutItsPrefix) {
    for (const char* text : {"urn:air:sdxl:checkpoint:civitai:299933@610541",
                             "sdxl:checkpoint:civitai:299933@610541", "civitai:299933@610541"}) {
        EXPECT_EQ(civitai(text).model, 299933) << text;
        EXPECT_EQ(civitai(text).version, 610541) << text;
    }
    const auto exact = civitai("urn:air:sdxl:checkpoint:civitai:299933@610541+88.safetensors");
    EXPECT_EQ(exact.file, 88);
    EXPECT_EQ(exact.format, "SafeTensor");
}

TEST(Source, TakesABareNumberForAModelAndSaysSo) {
    const auto source = parse_source("299933");
    EXPECT_EQ(std::get<CivitaiSource>(source.location).model, 299933);
    EXPECT_THAT(source.note, HasSubstr("model id"));
}

TEST(Source, TakesASha256) {
    EXPECT_EQ(civitai(std::string(64, 'F')).sha256, std::string(64, 'f'));
    EXPECT_EQ(civitai("sha256:" + std::string(64, '0')).sha256, std::string(64, '0'));
}

TEST(Source, TakesHuggingFaceShortForms) {
    const auto plain = hugging_face("hf:InstantX/InstantID/ControlNetModel/model.safetensors");
    EXPECT_EQ(plain.repository, "InstantX/InstantID");
    EXPECT_EQ(plain.revision, "main");
    EXPECT_EQ(plain.path, "ControlNetModel/model.safetensors");
    const auto pinned = hugging_face("hf:InstantX/InstantID@57b32dfe/ip-adapter.bin");
    EXPECT_EQ(pinned.revision, "57b32dfe");
    EXPECT_EQ(hugging_face("hf:o/r@refs/pr/3/a/b.bin").revision, "refs/pr/3");
    EXPECT_EQ(hugging_face("hf:o/r@refs/pr/3/a/b.bin").path, "a/b.bin");
    EXPECT_EQ(hugging_face("hf:datasets/o/r/x.json").kind, HuggingFaceSource::Kind::dataset);
    EXPECT_EQ(hugging_face("hf:spaces/o/r/x.json").kind, HuggingFaceSource::Kind::space);
}

TEST(Source, TakesHuggingFaceUrlsOfFiles) {
    for (const char* verb : {"resolve", "blob", "raw"}) {
        const auto source = hugging_face(std::string("https://huggingface.co/o/r/") + verb +
                                         "/refs%2Fpr%2F1/a%20b/c.bin?download=true");
        EXPECT_EQ(source.repository, "o/r");
        EXPECT_EQ(source.revision, "refs/pr/1");
        EXPECT_EQ(source.path, "a b/c.bin");
    }
    EXPECT_EQ(hugging_face("https://huggingface.co/gpt2/resolve/main/x.bin").repository, "gpt2");
    EXPECT_EQ(hugging_face("https://huggingface.co/datasets/o/r/blob/main/x").kind,
              HuggingFaceSource::Kind::dataset);
}

TEST(Source, TakesATokenOutOfTheQuery) {
    const auto source =
        parse_source("https://civitai.com/api/download/models/5?type=Model&token=s3cr3t%21");
    EXPECT_EQ(source.token_in_query, "s3cr3t!");
    EXPECT_THAT(source.text, Not(HasSubstr("s3cr3t")));
    EXPECT_EQ(std::get<CivitaiSource>(source.location).type, "Model");
}

TEST(Source, LeavesEveryOtherUrlAsItIs) {
    const std::string url = "https://github.com/o/r/releases/download/v1/a%2Bb.zip?x=1&sig=a%2Fb";
    EXPECT_EQ(std::get<UrlSource>(parse_source(url).location).url, url);
    EXPECT_EQ(std::get<UrlSource>(parse_source("file:///srv/m.bin").location).url,
              "file:///srv/m.bin");
    // A look-alike is not the hub.
    EXPECT_TRUE(std::holds_alternative<UrlSource>(
        parse_source("https://civitai.com.example/models/1").location));
    EXPECT_TRUE(std::holds_alternative<UrlSource>(
        parse_source("https://civitai.com:8443/models/1").location));
}

TEST(Source, TakesAPageHoweverItIsWritten) {
    for (const char* text :
         {"https://civitai.com/models/299933/a-slug/?modelVersionId=610541#comments",
          "http://www.civitai.com/models/299933?modelVersionId=610541",
          "HTTPS://CivitAI.com:443/models/299933/?x=1&modelVersionId=610541",
          "http://civitai.com:80/models/299933?modelVersionId=610541",
          "civitai.com/models/299933?modelVersionId=610541", "Civitai:299933@610541",
          "CIVITAI:299933@610541"}) {
        EXPECT_EQ(civitai(text).model, 299933) << text;
        EXPECT_EQ(civitai(text).version, 610541) << text;
        EXPECT_EQ(civitai(text).origin, "https://civitai.com") << text;
    }
    EXPECT_FALSE(civitai("https://civitai.com/models/299933?modelVersionId=").version);
    EXPECT_EQ(civitai("https://civitai.com/model-versions/610541/").version, 610541);
    EXPECT_EQ(civitai("www.civitai.red/api/download/models/5/").origin, "https://civitai.red");
}

TEST(Source, TakesEveryPartOfAnAir) {
    for (const char* text :
         {"urn:air:flux1:lora:civitai:1@2", "air:flux1:lora:civitai:1@2", "URN:AIR:x:y:CivitAI:1@2",
          "lora:civitai:1@2", "urn:air:civitai:1@2", "urn:civitai:1@2"}) {
        EXPECT_EQ(civitai(text).model, 1) << text;
        EXPECT_EQ(civitai(text).version, 2) << text;
    }
    const auto layered = parse_source("urn:air:sd1:checkpoint:civitai:1@2:unet.ckpt");
    EXPECT_EQ(std::get<CivitaiSource>(layered.location).format, "PickleTensor");
    EXPECT_EQ(std::get<CivitaiSource>(layered.location).version, 2);
    EXPECT_THAT(layered.note, HasSubstr("layer \"unet\""));
}

TEST(Source, TakesHuggingFaceUrlsHoweverTheyAreWritten) {
    for (const char* text :
         {"hf://o/r/a/b.bin", "HF:o/r/a/b.bin", "hf:o/r@main/a/b.bin",
          "http://huggingface.co/o/r/resolve/main/a/b.bin",
          "https://HF.co/o/r/blob/main/a/b.bin#L1", "hf.co/o/r/blob/main//a/b.bin",
          "https://www.huggingface.co/o/r/raw/main/a/b.bin?download=true"}) {
        EXPECT_EQ(hugging_face(text).repository, "o/r") << text;
        EXPECT_EQ(hugging_face(text).revision, "main") << text;
        EXPECT_EQ(hugging_face(text).path, "a/b.bin") << text;
        EXPECT_EQ(hugging_face(text).endpoint, "https://huggingface.co") << text;
    }
    EXPECT_EQ(hugging_face("https://huggingface.co/spaces/o/r/blob/main/app.py").kind,
              HuggingFaceSource::Kind::space);
    EXPECT_EQ(hugging_face("hf://datasets/o/r@refs%2Fconvert%2Fparquet/x").revision,
              "refs/convert/parquet");
    EXPECT_EQ(hugging_face("hf:o/r@feature%2Fx/m.bin").revision, "feature/x");
    EXPECT_EQ(hugging_face("https://huggingface.co/o/r/blob/refs/pr/1/m.bin").path, "m.bin");
}

TEST(Source, TakesATreeUrlForTheFileThatItNames) {
    const auto source = parse_source("https://huggingface.co/o/r/tree/main/a/b.bin");
    EXPECT_EQ(std::get<HuggingFaceSource>(source.location).path, "a/b.bin");
    EXPECT_THAT(source.note, HasSubstr("not a folder"));
}

TEST(Source, TakesUrlsOfTheEndpointForTheHubs) {
    const test::SetEnv endpoint("HF_ENDPOINT", "https://Mirror.example/hf/");
    for (const char* text : {"https://mirror.example/hf/o/r/resolve/main/m.bin?token=s3cr3t",
                             "https://huggingface.co/o/r/resolve/main/m.bin?token=s3cr3t"}) {
        const auto source = parse_source(text);
        ASSERT_TRUE(std::holds_alternative<HuggingFaceSource>(source.location)) << text;
        EXPECT_EQ(std::get<HuggingFaceSource>(source.location).repository, "o/r");
        EXPECT_EQ(std::get<HuggingFaceSource>(source.location).endpoint, "https://huggingface.co");
        EXPECT_EQ(source.token_in_query, "s3cr3t");
    }
    EXPECT_TRUE(std::holds_alternative<UrlSource>(
        parse_source("https://mirror.example/other/o/r/resolve/main/m.bin").location));
    EXPECT_THAT(endpoint_mirrors(), testing::ElementsAre(testing::Pair(
                                        "https://huggingface.co/", "https://mirror.example/hf/")));
}

TEST(Source, KnowsNoMirrorWhenTheEndpointIsTheHubAndRefusesOneThatIsNoUrl) {
    {
        const test::SetEnv endpoint("HF_ENDPOINT", "https://huggingface.co/");
        EXPECT_TRUE(endpoint_mirrors().empty());
    }
    {
        const test::SetEnv endpoint("HF_ENDPOINT", "");
        EXPECT_TRUE(endpoint_mirrors().empty());
    }
    const test::SetEnv endpoint("HF_ENDPOINT", "mirror.example");
    EXPECT_THROW(endpoint_mirrors(), Error);
    EXPECT_EQ(hugging_face("hf:o/r/x").repository, "o/r");
}

TEST(Source, MeansTheSameFileHoweverItIsWritten) {
    const auto key = [](const char* text) { return location_key(parse_source(text).location); };
    EXPECT_EQ(key("5"), key("https://civitai.com/models/5/slug"));
    EXPECT_EQ(key("hf:o/r/x"), key("https://hf.co/o/r/blob/main/x"));
    EXPECT_NE(key("hf:o/r/x"), key("hf:datasets/o/r/x"));
    EXPECT_NE(key("civitai:5"), key("civitai:5@5"));
    EXPECT_NE(key("https://h/x?a=1"), key("https://h/x?a=2"));
}

TEST(Source, ShowsOnlyTheStartOfWhatIsNoSource) {
    try {
        parse_source(std::string(150, 'x') + "\x1B" + std::string(1000, 'x'));
        FAIL();
    } catch (const Error& error) {
        EXPECT_LT(error.message().size(), 300u);
        EXPECT_THAT(error.message(), Not(HasSubstr("\x1B")));
    }
}

TEST(Source, RefusesWhatItDoesNotKnowAndNamesTheForms) {
    for (const char* text : {"",
                             "model.safetensors",
                             "hf:o",
                             "hf:o/../x",
                             "hf:o/r/../x",
                             "hf:o/r@/x",
                             "civitai:abc",
                             "civitai:0",
                             "civitai:99999999999999999999",
                             "ftp://x/y",
                             "file://host/x",
                             "file:///",
                             "https://civitai.com/user/somebody",
                             "https://civitai.com/models/abc",
                             "https://huggingface.co/o",
                             "https://huggingface.co/o/r/tree",
                             "urn:air:sdxl:checkpoint:civitai",
                             "urn:air:sdxl:model:huggingface:o",
                             "https://civitai.com/models/1?modelVersionId=x",
                             "civitai.com",
                             "huggingface.co/o",
                             "urn:air:civitai",
                             "urn:air:a:b:c:civitai:1",
                             "civitai:1@2.",
                             "civitai:1@",
                             "civitai:1+",
                             "hf:o/r@%2F../x",
                             "https://huggingface.co/o/r/resolve/..%2F..%2Fx/m.bin",
                             "sha256:ab",
                             "civitai://1"}) {
        try {
            parse_source(text);
            ADD_FAILURE() << "\"" << text << "\" was taken";
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::template_) << text;
            EXPECT_FALSE(error.hint().empty()) << text;
        }
    }
}

}  // namespace
}  // namespace podctl::hub

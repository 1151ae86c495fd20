#include "podctl/base/digest.hpp"
#include "podctl/download/download.hpp"

#include "download_fixture.hpp"
#include "support/hub.hpp"

#include <gmock/gmock.h>

namespace podctl::download {
namespace {

using test::Hub;
using test::MiB;
using test::Request;
using test::Response;
using testing::HasSubstr;

class HubDownload : public Download {
protected:
    HubDownload() {
        mirrors = hub.mirrors();
        hub.add({.id = 7,
                 .model_id = 5,
                 .files = {{.id = 70, .name = "m.safetensors", .bytes = weights}}});
        hub.add({.id = 8,
                 .model_id = 5,
                 .files = {{.id = 80, .name = "early.safetensors", .bytes = weights}},
                 .early_access_until = "2027-01-01"});
        hub.add(
            test::HuggingFaceFile{.repository = "o/r", .path = "m.safetensors", .bytes = weights});
        credentials = {{hub.civitai().url("/"), Secret{Hub::civitai_key}},
                       {hub.huggingface().url("/"), Secret{Hub::hf_token}}};
        request.name = "m.safetensors";
        request.sha256 = sha256_hex(weights);
    }

    const std::string weights = test::safetensors_bytes(2 * MiB);
    const std::string civitai_url = "https://civitai.com/api/download/models/7?fileId=70";
    Hub hub;
};

TEST_F(HubDownload, FetchesFromBothHubsThroughTheStore) {
    EXPECT_EQ(get(civitai_url).server_name, "m.safetensors");
    std::filesystem::remove(request.partial);
    EXPECT_EQ(get("https://huggingface.co/o/r/resolve/main/m.safetensors").size, weights.size());
    for (const auto& seen : hub.store().requests())
        EXPECT_FALSE(seen.header("authorization"));
}

TEST_F(HubDownload, AsksTheStoreAloneAfterACut) {
    std::atomic<int> answers = 0;
    hub.alter_store([&](const Request&, Response& response) {
        if (++answers == 1) response.cut_after = MiB;
    });
    EXPECT_EQ(get(civitai_url).received, weights.size());
    EXPECT_EQ(hub.civitai().requests().size(), 1u);
    EXPECT_EQ(hub.store().requests().size(), 2u);
}

TEST_F(HubDownload, AsksTheHubAgainWhenTheSignatureExpiresInTheMiddle) {
    std::atomic<int> answers = 0;
    hub.alter_store([&](const Request&, Response& response) {
        if (++answers != 1) return;
        response.cut_after = MiB;
        hub.expire_signatures();
    });
    EXPECT_EQ(get(civitai_url).received, weights.size());
    EXPECT_TRUE(content() == weights);
    EXPECT_EQ(hub.civitai().requests().size(), 2u);
}

TEST_F(HubDownload, NamesTheKeyAndTheDeadline) {
    EXPECT_THAT(failure("https://civitai.com/api/download/models/8?fileId=80").message(),
                HasSubstr("Early Access until 2027-01-01"));
    credentials.clear();
    const auto error = failure(civitai_url);
    EXPECT_EQ(error.kind(), ErrorKind::unauthorized);
    EXPECT_THAT(error.hint(), HasSubstr("CIVITAI_API_KEY"));
}

TEST_F(HubDownload, TriesAMissingFileOfCivitaiTwiceMore) {
    std::atomic<int> answers = 0;
    hub.alter_civitai([&](const Request&, Response& response) {
        if (++answers <= 2) response = {.status = 404};
    });
    EXPECT_EQ(get(civitai_url).size, weights.size());
    std::filesystem::remove(request.partial);
    EXPECT_EQ(failure("https://civitai.com/api/download/models/99").kind(), ErrorKind::not_found);
    EXPECT_EQ(hub.civitai().requests().size(), 6u);
}

TEST_F(HubDownload, RefusesAnLfsPointer) {
    request.sha256.clear();
    request.name = "m.bin";
    const auto error = failure("https://huggingface.co/o/r/raw/main/m.safetensors");
    EXPECT_THAT(error.message(), HasSubstr("LFS pointer"));
}

}  // namespace
}  // namespace podctl::download

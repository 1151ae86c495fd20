#include "podctl/hub/resolve.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"

#include "support/error_of.hpp"
#include "support/hub.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <fstream>

namespace podctl::hub {
namespace {

using test::CivitaiVersion;
using test::Hub;
using test::HuggingFaceFile;
using test::Request;
using test::Response;
using testing::HasSubstr;
using namespace std::chrono_literals;

class Resolve : public testing::Test {
protected:
    ResolvedFile ask(const std::string& source) {
        http::Client http{{.credentials = credentials}};
        return resolve(parse_source(source), http, Mirrors{hub.mirrors()}, retry, {});
    }

    Error failure(const std::string& source) {
        try {
            ask(source);
        } catch (const Error& error) {
            return error;
        }
        ADD_FAILURE() << source << " was resolved";
        return {ErrorKind::internal, ""};
    }

    Hub hub;
    std::vector<http::Credential> credentials;
    http::RetryPolicy retry{.attempts = 3, .first_wait = 1ms, .longest_wait = 5ms};
};

CivitaiVersion halcyon() {
    return {.id = 610541,
            .model_id = 299933,
            .model_name = "Halcyon SDXL - Photorealism",
            .files = {{.id = 11, .name = "halcyonSDXL_v17.safetensors", .bytes = "full-file"},
                      {.id = 12,
                       .name = "halcyonSDXL_v17.safetensors",
                       .bytes = "pruned",
                       .size = "pruned",
                       .primary = false},
                      {.id = 13,
                       .name = "halcyon.vae.pt",
                       .bytes = "vae",
                       .type = "VAE",
                       .format = "PickleTensor",
                       .primary = false}}};
}

TEST_F(Resolve, GivesCivitaisPrimaryFileByItsId) {
    hub.add(halcyon());
    const auto file = ask("civitai:299933@610541");
    EXPECT_EQ(file.url, "https://civitai.com/api/download/models/610541?fileId=11");
    EXPECT_EQ(file.name, "halcyonSDXL_v17.safetensors");
    EXPECT_EQ(file.sha256, sha256_hex("full-file"));
    EXPECT_EQ(file.approximate_size, 9u);
    EXPECT_FALSE(file.size);
    EXPECT_EQ(file.type, "Checkpoint");
    EXPECT_EQ(file.model_name, "Halcyon SDXL - Photorealism");
    EXPECT_EQ(file.model_id, 299933);
    EXPECT_EQ(file.version_id, 610541);
    EXPECT_EQ(file.note, "");
}

TEST_F(Resolve, TakesTheNewestVersionOfAModel) {
    hub.add(halcyon());
    auto older = halcyon();
    older.id = 5;
    hub.add(older);
    const auto file = ask("299933");
    EXPECT_EQ(file.version_id, 610541);
    EXPECT_EQ(file.model_name, "Halcyon SDXL - Photorealism");
    EXPECT_EQ(file.type, "Checkpoint");
}

TEST_F(Resolve, SaysTheBaseModelAndTheTagsWhereTheyAreTold) {
    auto version = halcyon();
    version.base_model = "Illustrious";
    version.tags = {"anime", "style"};
    hub.add(version);
    using Tags = std::vector<std::string>;
    EXPECT_EQ(ask("civitai:299933").base_model, "Illustrious");
    EXPECT_EQ(ask("civitai:299933").tags, (Tags{"anime", "style"}));
    EXPECT_EQ(ask("civitai:299933@610541").base_model, "Illustrious");
    EXPECT_EQ(ask("civitai:299933@610541").tags, std::nullopt);
    EXPECT_EQ(ask(sha256_hex("pruned")).base_model, "Illustrious");
}

TEST_F(Resolve, RefusesWhatIsNestedBeyondAllUse) {
    const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
    hub.alter_civitai([&](const Request&, Response& response) {
        response = {.body = R"({"x":)" + deep + R"(,"id":5,"modelId":1,"model":{"name":"m"},)" +
                            R"("files":[{"id":7,"name":"m.safetensors","primary":true}]})"};
    });
    EXPECT_THAT(failure("civitai:1@5").message(), HasSubstr("nested too deeply"));
}

TEST_F(Resolve, RefusesAnAnswerOfMoreValuesThanAnyHubGives) {
    std::string many = "[0";
    for (int i = 0; i < 600'000; ++i)
        many += ",[]";
    hub.alter_civitai([&](const Request&, Response& response) {
        response = {.body = R"({"id":5,"x":)" + many + "]}"};
    });
    EXPECT_THAT(failure("civitai:1@5").message(), HasSubstr("more than 500000 values"));
}

TEST_F(Resolve, ChoosesAFileByFilterIdAndHash) {
    hub.add(halcyon());
    EXPECT_THAT(ask("https://civitai.com/api/download/models/610541?size=pruned").url,
                HasSubstr("fileId=12"));
    EXPECT_EQ(ask("https://civitai.com/api/download/models/610541?fileId=13").type, "VAE");
    EXPECT_THAT(ask(sha256_hex("pruned")).url, HasSubstr("models/610541?fileId=12"));
}

TEST_F(Resolve, NamesTheFilesThatThereAreWhenNoneFits) {
    hub.add(halcyon());
    const auto error = failure("https://civitai.com/api/download/models/610541?format=GGUF");
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.hint(), HasSubstr("halcyon.vae.pt"));
    EXPECT_EQ(failure("https://civitai.com/api/download/models/610541?fileId=99").kind(),
              ErrorKind::not_found);
}

TEST_F(Resolve, RefusesAVersionOfAnotherModel) {
    hub.add(halcyon());
    EXPECT_THAT(failure("civitai:1@610541").message(), HasSubstr("belongs to model 299933"));
}

TEST_F(Resolve, SaysWhichModelABareNumberWasTakenFor) {
    hub.add(halcyon());
    const auto note = ask("299933").note;
    EXPECT_THAT(note, HasSubstr("299933 was taken for the Civitai model id (Halcyon SDXL"));
    EXPECT_THAT(note, HasSubstr("civitai:MODEL@VERSION"));
    EXPECT_EQ(ask("civitai:299933").note, "");
}

TEST_F(Resolve, SaysThatABareNumberIsAVersionId) {
    hub.add(halcyon());
    const auto error = failure("610541");
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.hint(), HasSubstr("610541 is a version id (of model 299933, Halcyon SDXL"));
    EXPECT_THAT(error.hint(), HasSubstr("write civitai:299933@610541"));
    // Who says that it is a model is believed.
    EXPECT_THAT(failure("civitai:610541").hint(), testing::Not(HasSubstr("is a version id")));
}

TEST_F(Resolve, TakesABareNumberThatIsBothForTheModel) {
    hub.add(halcyon());
    auto other = halcyon();
    other.id = 299933;
    other.model_id = 7;
    hub.add(other);
    EXPECT_EQ(ask("299933").model_id, 299933);
    EXPECT_EQ(hub.civitai().requests().size(), 1u);
}

TEST_F(Resolve, RefusesABareNumberAsItWouldAModelWhenTheVersionCannotBeAsked) {
    hub.alter_civitai([](const Request& request, Response& response) {
        if (request.path.find("model-versions") != std::string::npos) response = {.status = 403};
    });
    EXPECT_EQ(failure("610541").kind(), ErrorKind::not_found);
    EXPECT_THAT(failure("610541").message(), HasSubstr("not on Civitai"));
}

TEST_F(Resolve, HandsOnHowTheSourceWasTaken) {
    hub.add(halcyon());
    hub.add(HuggingFaceFile{.repository = "o/r", .path = "m.bin", .bytes = "x"});
    EXPECT_THAT(ask("https://huggingface.co/o/r/tree/main/m.bin").note, HasSubstr("for a file"));
    EXPECT_THAT(ask("urn:air:sdxl:checkpoint:civitai:299933@610541:unet").note, HasSubstr("layer"));
}

TEST_F(Resolve, NotesAFailedScanAndAMissingHash) {
    auto version = halcyon();
    version.files[0].virus_scan = "Error";
    version.files[0].has_hashes = false;
    hub.add(version);
    const auto file = ask("civitai:299933@610541");
    EXPECT_THAT(file.note, HasSubstr("virus scan"));
    EXPECT_EQ(file.verdict, "");
    EXPECT_EQ(file.sha256, "");
}

TEST_F(Resolve, HandsOnWhatAHubHasAgainstAFile) {
    auto version = halcyon();
    version.files[0].virus_scan = "Danger";
    hub.add(version);
    const auto file = ask("civitai:299933@610541");
    EXPECT_THAT(file.verdict, HasSubstr("virus scan"));
    const auto error =
        test::error_of([&] { refuse_by_verdict(file, "civitai:299933@610541", "list it"); });
    EXPECT_EQ(error.kind(), ErrorKind::integrity);
    EXPECT_THAT(error.message(), HasSubstr("says Danger"));
    EXPECT_THAT(error.hint(), HasSubstr("list it"));
}

TEST_F(Resolve, TrustsASourceInWhateverFormItIsListed) {
    const auto source = parse_source("civitai:299933@610541");
    using List = std::vector<std::string>;
    EXPECT_TRUE(is_listed(source, List{"civitai:299933@610541"}));
    EXPECT_TRUE(
        is_listed(source, List{"https://civitai.com/models/299933/x?modelVersionId=610541"}));
    EXPECT_FALSE(is_listed(source, List{"civitai:299933", "registry:pack", ""}));
}

TEST_F(Resolve, SaysWhatAnUnknownOrArchivedModelIs) {
    auto archived = halcyon();
    archived.archived = true;
    hub.add(archived);
    EXPECT_EQ(failure("12345").kind(), ErrorKind::not_found);
    EXPECT_THAT(failure("12345").hint(), HasSubstr("model id"));
    EXPECT_THAT(failure("299933").message(), HasSubstr("archived"));
}

TEST_F(Resolve, TriesAgainWhenCivitaiIsBusyAndWaitsAsLongAsItSays) {
    hub.add(halcyon());
    std::atomic<int> answers = 0;
    hub.alter_civitai([&](const Request&, Response& response) {
        if (++answers == 1) response = {.status = 429, .headers = {{"Retry-After", "1"}}};
        if (answers == 2) response = {.status = 522};
    });
    std::vector<int> attempts;
    std::vector<std::chrono::milliseconds> waits;
    retry.on_retry = [&](int attempt, std::chrono::milliseconds wait, const std::string&) {
        attempts.push_back(attempt);
        waits.push_back(wait);
    };
    EXPECT_EQ(ask("299933").version_id, 610541);
    EXPECT_EQ(attempts, (std::vector{2, 3}));
    ASSERT_EQ(waits.size(), 2u);
    EXPECT_GE(waits[0], 1s);
    EXPECT_LT(waits[1], 1s);
}

TEST_F(Resolve, GivesUpWhenCivitaiStaysBusyOrAsksForTooLongAWait) {
    hub.alter_civitai([](const Request&, Response& response) { response = {.status = 503}; });
    EXPECT_EQ(failure("299933").kind(), ErrorKind::network);
    EXPECT_EQ(hub.civitai().requests().size(), 3u);
    hub.alter_civitai([](const Request&, Response& response) {
        response = {.status = 429, .headers = {{"Retry-After", "86400"}}};
    });
    EXPECT_EQ(failure("299933").kind(), ErrorKind::network);
    EXPECT_EQ(hub.civitai().requests().size(), 4u);
}

TEST_F(Resolve, SurvivesAnAnswerThatIsNotWhatTheApiPromises) {
    for (const char* body : {"<html></html>", "[]", "{}", R"({"id":"x","files":7,"model":[]})",
                             R"({"id":1,"files":[null,{"id":2,"sizeKB":1e300,"hashes":3}]})"}) {
        hub.alter_civitai(
            [body](const Request&, Response& response) { response = {.body = body}; });
        const auto source = std::string("https://civitai.com/api/download/models/1?fileId=3");
        EXPECT_NE(failure(source).kind(), ErrorKind::internal) << body;
    }
}

TEST_F(Resolve, ReadsTheHubsHeadersOfAnLfsFileWithoutAskingTheStore) {
    hub.add(
        HuggingFaceFile{.repository = "o/r", .path = "a b/model.safetensors", .bytes = "weights"});
    const auto file = ask("hf:o/r/a b/model.safetensors");
    EXPECT_EQ(file.url, std::string("https://huggingface.co/o/r/resolve/") + Hub::commit +
                            "/a%20b/model.safetensors");
    EXPECT_EQ(file.sha256, sha256_hex("weights"));
    EXPECT_EQ(file.size, 7u);
    EXPECT_EQ(file.revision, Hub::commit);
    EXPECT_EQ(file.name, "model.safetensors");
    EXPECT_TRUE(hub.store().requests().empty());
}

TEST_F(Resolve, TakesNoGitHashForASha256) {
    hub.add(HuggingFaceFile{.repository = "o/r",
                            .path = "config.json",
                            .bytes = "{}",
                            .storage = HuggingFaceFile::Storage::plain});
    const auto file = ask("hf:o/r/config.json");
    EXPECT_EQ(file.sha256, "");
    EXPECT_EQ(file.size, 2u);
}

TEST_F(Resolve, FollowsARepositorysNewNameWithinTheHub) {
    hub.add(HuggingFaceFile{.repository = "new/r", .path = "m.bin", .bytes = "x"});
    hub.rename_repository("old/r", "new/r");
    EXPECT_EQ(ask("hf:old/r/m.bin").sha256, sha256_hex("x"));
}

TEST_F(Resolve, EscapesARevisionThatHasASlash) {
    hub.add(HuggingFaceFile{.repository = "o/r", .path = "m.bin", .bytes = "x"});
    EXPECT_EQ(ask("hf:o/r@refs/pr/1/m.bin").revision, Hub::commit);
    EXPECT_EQ(hub.huggingface().requests().at(0).target, "/o/r/resolve/refs%2Fpr%2F1/m.bin");
}

TEST_F(Resolve, TellsTheRemedyOfEveryRefusalOfHuggingFace) {
    using Access = HuggingFaceFile::Access;
    hub.add(HuggingFaceFile{.repository = "o/gated", .path = "m", .access = Access::gated});
    hub.add(HuggingFaceFile{.repository = "o/closed", .path = "m", .access = Access::not_granted});
    EXPECT_EQ(failure("hf:o/gated/m").kind(), ErrorKind::unauthorized);
    EXPECT_THAT(failure("hf:o/gated/m").hint(), HasSubstr("HF_TOKEN"));
    EXPECT_THAT(failure("hf:o/none/m").message(), HasSubstr("no such repository"));
    EXPECT_EQ(failure("hf:o/none/m").kind(), ErrorKind::not_found);
    EXPECT_THAT(failure("hf:o/gated/other").message(), HasSubstr("no such file"));
    EXPECT_THAT(failure("hf:o/gated@v9/m").message(), HasSubstr("no such revision"));
    credentials = {{hub.huggingface().url("/"), Secret{Hub::hf_token}}};
    EXPECT_EQ(ask("hf:o/gated/m").revision, Hub::commit);
    EXPECT_THAT(failure("hf:o/closed/m").message(), HasSubstr("no access"));
}

TEST_F(Resolve, SaysThatATokenIsWrong) {
    hub.add(HuggingFaceFile{.repository = "o/r", .path = "m", .bytes = "x"});
    credentials = {{hub.huggingface().url("/"), Secret{"hf_wrong"}}};
    const auto error = failure("hf:o/r/m");
    EXPECT_EQ(error.kind(), ErrorKind::unauthorized);
    EXPECT_THAT(error.message(), HasSubstr("Invalid credentials"));
    EXPECT_THAT(error.message(), testing::Not(HasSubstr("hf_wrong")));
}

TEST_F(Resolve, WaitsAsLongAsTheRateLimitHeaderSays) {
    hub.add(HuggingFaceFile{.repository = "o/r", .path = "m", .bytes = "x"});
    std::atomic<int> answers = 0;
    hub.alter_huggingface([&](const Request&, Response& response) {
        if (++answers == 1)
            response = {.status = 429, .headers = {{"ratelimit", R"("api";r=0;t=0)"}}};
    });
    std::chrono::milliseconds waited{0};
    retry.on_retry = [&](int, std::chrono::milliseconds wait, const std::string&) {
        waited = wait;
    };
    EXPECT_EQ(ask("hf:o/r/m").size, 1u);
    EXPECT_EQ(waited, 1s);
}

TEST_F(Resolve, AsksNobodyAboutAPlainUrl) {
    const auto file = ask("https://example.invalid/a/sam%20vit.pth?x=1");
    EXPECT_EQ(file.name, "sam vit.pth");
    EXPECT_EQ(file.url, "https://example.invalid/a/sam%20vit.pth?x=1");
}

TEST(ProbeSize, ReadsTheSizeByRangeByLengthAndFromTheDisk) {
    const std::string bytes(1234, 'x');
    test::HttpServer server([&](const Request& request) -> Response {
        if (request.path == "/ranges") return test::serve_bytes(request, bytes);
        if (request.path == "/plain") return {.body = bytes};
        if (request.path == "/empty") return test::serve_bytes(request, "");
        if (request.path == "/chunked")
            return {.headers = {{"Transfer-Encoding", "chunked"}}, .body = bytes};
        return {.status = 404};
    });
    test::TempDir dir;
    std::ofstream(dir / "m.bin") << bytes;
    http::Client http;
    const auto size = [&](const std::string& url) { return probe(url, http, {}, {}).size; };
    EXPECT_EQ(size(server.url("/ranges")), 1234u);
    EXPECT_EQ(size(server.url("/plain")), 1234u);
    EXPECT_EQ(size(server.url("/empty")), 0u);
    EXPECT_EQ(size(server.url("/chunked")), std::nullopt);
    EXPECT_EQ(size(server.url("/missing")), std::nullopt);
    EXPECT_EQ(size("file://" + (dir / "m.bin").string()), 1234u);
}

}  // namespace
}  // namespace podctl::hub

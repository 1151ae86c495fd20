#include "podctl/download/civitdl_metadata.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include "support/error_of.hpp"
#include "support/hub.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <set>

namespace podctl::download {
namespace {

namespace fs = std::filesystem;

using test::CivitaiImage;
using test::CivitaiVersion;
using test::Hub;
using test::Request;
using test::Response;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using testing::UnorderedElementsAre;
using namespace std::chrono_literals;

class SavedCivitdlMetadata : public testing::Test {
protected:
    SavedCivitdlMetadata() { version.files[0].id = 11; }

    CivitdlMetadataReport save(const hub::CivitdlMetadataOptions& options = {}) {
        hub.add(version);
        return save_again(options);
    }

    CivitdlMetadataReport save_again(const hub::CivitdlMetadataOptions& options = {}) {
        http::Client http{{.credentials = {{hub.civitai().url("/"), Secret{Hub::civitai_key}},
                                           {hub.images().url("/"), Secret{"not for images"}}}}};
        return save_civitdl_metadata(file, folder.path(), options, http, Mirrors{hub.mirrors()},
                                     retry, stop.get_token());
    }

    // Everything below the folder, relative to it.
    std::set<std::string> files() const {
        std::set<std::string> found;
        for (const auto& entry : fs::recursive_directory_iterator{folder.path()})
            if (!entry.is_directory()) found.insert(entry.path().lexically_relative(folder.path()));
        return found;
    }

    std::set<std::string> images() const {
        auto found = files();
        std::erase_if(found, [](const std::string& name) {
            return name.ends_with(".json") || name.ends_with(".csv");
        });
        return found;
    }

    std::string content(const std::string& name) const {
        return read_file(folder.path() / "extra_data-vid_610541" / name);
    }

    Hub hub;
    test::TempDir folder;
    std::stop_source stop;
    http::RetryPolicy retry{.attempts = 2, .first_wait = 1ms, .longest_wait = 5ms};
    hub::ResolvedFile file{.url = "https://civitai.com/api/download/models/610541?fileId=11",
                           .name = "halcyonSDXL_v17.safetensors",
                           .model_name = "Halcyon",
                           .model_id = 299933,
                           .version_id = 610541};
    CivitaiVersion version{.id = 610541,
                           .model_id = 299933,
                           .model_name = "Halcyon",
                           .files = {{.name = "halcyonSDXL_v17.safetensors", .bytes = "weights"}}};
};

TEST_F(SavedCivitdlMetadata, IsTheRecordTheHashesTheImagesAndWhatIsSaidOfThem) {
    version.images = {{.name = "1.jpeg", .bytes = "one", .prompt = "a cat"},
                      {.name = "2.png", .bytes = "two"}};
    version.tags = {"ünï", "anime"};
    const auto report = save();
    const std::string extra = "extra_data-vid_610541/";
    const std::string hashes = "halcyonSDXL_v17-mid_299933-vid_610541.csv";
    const std::string record = "model_dict-mid_299933-vid_610541.json";
    EXPECT_THAT(files(), UnorderedElementsAre(hashes, extra + record, extra + "1.jpeg",
                                              extra + "1.json", extra + "2.png", extra + "2.json"));
    EXPECT_THAT(report.written, SizeIs(6));
    EXPECT_THAT(report.warnings, IsEmpty());
    EXPECT_EQ(content("1.jpeg"), "one");
    EXPECT_EQ(content("2.png"), "two");
    EXPECT_EQ(nlohmann::json::parse(content("1.json"))["meta"]["prompt"], "a cat");
    EXPECT_THAT(content(record), StartsWith("{\n  \"id\": 299933,\n"));
    EXPECT_THAT(content(record), HasSubstr("\n    \"ünï\",\n"));
    EXPECT_EQ(nlohmann::json::parse(content(record))["modelVersions"][0]["id"], 610541);
    EXPECT_THAT(read_file(folder / hashes), StartsWith("hash_name, hash_id\n"));
    EXPECT_THAT(to_lower(read_file(folder / hashes)),
                HasSubstr("\nsha256, " + sha256_hex("weights")));
}

TEST_F(SavedCivitdlMetadata, IsKeptWhenItIsThereAndReplacedWhenItDiffers) {
    version.images = {{.name = "1.jpeg", .bytes = "one"}, {.name = "2.jpeg", .bytes = "two"}};
    save();
    EXPECT_THAT(save_again().written, IsEmpty());
    const auto image = folder.path() / "extra_data-vid_610541/1.jpeg";
    write_file_atomically(image, "half");
    EXPECT_THAT(save_again().written, ElementsAre(image));
    EXPECT_EQ(content("1.jpeg"), "one");
}

TEST_F(SavedCivitdlMetadata, HasAsManyImagesAsAreWanted) {
    for (const char* name : {"1.jpeg", "2.jpeg", "3.jpeg", "4.jpeg"})
        version.images.push_back({.name = name, .bytes = name});
    save({.max_images = 0});
    EXPECT_THAT(images(), IsEmpty());
    EXPECT_THAT(hub.images().requests(), IsEmpty());
    save_again();
    EXPECT_THAT(images(), SizeIs(3));
    EXPECT_THAT(images(), testing::Not(Contains(EndsWith("4.jpeg"))));
    save_again({.max_images = 100});
    EXPECT_THAT(images(), SizeIs(4));
}

TEST_F(SavedCivitdlMetadata, HasThePromptsOnlyWhenTheyAreWanted) {
    version.images = {{.name = "1.jpeg", .bytes = "one"}};
    save({.prompts = hub::ImagePrompts::leave_out});
    EXPECT_THAT(files(), Contains(EndsWith("1.jpeg")));
    EXPECT_THAT(files(), testing::Not(Contains(EndsWith("/1.json"))));
}

TEST_F(SavedCivitdlMetadata, LetsImagesThroughByTheNsfwModes) {
    version.nsfw_level = 7;
    version.images = {{.name = "3", .nsfw_level = 3},
                      {.name = "8", .nsfw_level = 8},
                      {.name = "16", .nsfw_level = 16},
                      {.name = "none", .nsfw_level = std::nullopt}};
    const std::string extra = "extra_data-vid_610541/";
    const auto report = save({.nsfw = hub::NsfwImages::safe});
    EXPECT_THAT(images(), ElementsAre(extra + "3"));
    EXPECT_THAT(report.warnings, ElementsAre(HasSubstr("1 sample images have no URL or no NSFW")));
    save_again({.nsfw = hub::NsfwImages::as_model});
    EXPECT_THAT(images(), UnorderedElementsAre(extra + "3", extra + "8"));
    save_again({.nsfw = hub::NsfwImages::all});
    EXPECT_THAT(images(), UnorderedElementsAre(extra + "3", extra + "8", extra + "16"));
}

TEST_F(SavedCivitdlMetadata, LetsAllThroughWhenTheModelHasNoLevelToMeasureBy) {
    version.nsfw_level.reset();
    version.images = {{.name = "16", .nsfw_level = 16}};
    save({.nsfw = hub::NsfwImages::as_model});
    EXPECT_THAT(images(), SizeIs(1));
}

TEST_F(SavedCivitdlMetadata, TellsOfAnImageThatCannotBeHadAndGoesOn) {
    version.images = {{.name = "gone.jpeg", .bytes = "x"},
                      {.name = "cut.jpeg", .bytes = "0123456789"},
                      {.name = "page.jpeg", .bytes = "x"},
                      {.name = "busy.jpeg", .bytes = "at last"},
                      {.name = "f.jpeg", .url = "file:///etc/passwd"},
                      {.name = "m.jpeg", .url = hub.images().url("/x/model.ckpt")},
                      {.name = "n.jpeg", .url = hub.images().url("/x/other.SFT")}};
    std::atomic<int> busy = 0;
    hub.alter_images([&](const Request& request, Response& response) {
        if (request.path.ends_with("gone.jpeg")) response = {.status = 404};
        if (request.path.ends_with("cut.jpeg")) response.cut_after = 5;
        if (request.path.ends_with("page.jpeg"))
            response = {.headers = {{"Content-Type", "text/html"}}, .body = "<html>"};
        if (request.path.ends_with("busy.jpeg") && ++busy == 1) response = {.status = 503};
    });
    const auto report = save({.max_images = 9});
    EXPECT_THAT(images(), ElementsAre("extra_data-vid_610541/busy.jpeg"));
    EXPECT_THAT(report.warnings,
                ElementsAre(HasSubstr("gone.jpeg: HTTP 404"), HasSubstr("cut.jpeg"),
                            HasSubstr("page.jpeg: what came is no image"), HasSubstr("passwd"),
                            HasSubstr("model.ckpt: named like a model"),
                            HasSubstr("other.SFT: named like a model")));
    // Neither a half image nor a hidden partial one, and no prompt of what is not there.
    EXPECT_THAT(files(), UnorderedElementsAre(EndsWith(".csv"),
                                              EndsWith("/model_dict-mid_299933-vid_610541.json"),
                                              EndsWith("/busy.jpeg"), EndsWith("/busy.json")));
}

TEST_F(SavedCivitdlMetadata, KeepsAnImageOutThatIsTooLarge) {
    version.images = {{.name = "huge.jpeg"}};
    hub.alter_images(
        [](const Request&, Response& response) { response.body.assign((64u << 20) + 1, 'x'); });
    retry.attempts = 1;
    EXPECT_THAT(save().warnings, ElementsAre(HasSubstr("larger than")));
    EXPECT_THAT(images(), IsEmpty());
}

TEST_F(SavedCivitdlMetadata, MakesTheNamesOfImagesSafe) {
    const std::string base = hub.images().url("/x/");
    const std::string model_dict = "model_dict-mid_299933-vid_610541";
    for (const std::string& url :
         {base + "..", base, base + "%2e%2e%2fescape.png", base + "-rf.png", base + ".hidden.png",
          base + "a.png?X-Amz-Signature=secret", base + "A.png", base + "a.jpeg", base + "j.json",
          base + model_dict + ".json", base + model_dict + ".png", base + "CON.png",
          base + std::string(300, 'l') + ".png", base + "back\\slash.png"})
        version.images.push_back({.url = url});
    hub.alter_images([](const Request&, Response& response) {
        response = {.headers = {{"Content-Type", "image/png"}}, .body = "image"};
    });
    const auto report = save({.max_images = 99});
    const std::string extra = "extra_data-vid_610541/";
    EXPECT_THAT(images(), UnorderedElementsAre(
                              extra + "image", extra + "image-2", extra + "%2e%2e%2fescape.png",
                              extra + "rf.png", extra + "hidden.png", extra + "a.png",
                              extra + "A-2.png", extra + "a-3.jpeg", extra + model_dict + "-2.png",
                              extra + "_CON.png", extra + std::string(200, 'l') + ".png",
                              extra + "back_slash.png", extra + model_dict + ".json-2"));
    EXPECT_EQ(content("j.json"), "image");
    EXPECT_THAT(files(), Contains(extra + "j.json.json"));
    EXPECT_EQ(nlohmann::json::parse(content(model_dict + ".json"))["id"], 299933);
    EXPECT_THAT(report.warnings, IsEmpty());
}

TEST_F(SavedCivitdlMetadata, SendsNoTokenForAnImage) {
    version.images = {{.name = "1.jpeg", .bytes = "one"}};
    save();
    ASSERT_THAT(hub.images().requests(), SizeIs(1));
    EXPECT_EQ(hub.images().requests()[0].header("authorization"), std::nullopt);
    EXPECT_NE(hub.civitai().requests().at(0).header("authorization"), std::nullopt);
}

TEST_F(SavedCivitdlMetadata, SurvivesRecordsThatLackWhatTheApiPromises) {
    for (const char* body : {"{}", R"({"images":7,"files":{"a":[]},"nsfwLevel":"x"})",
                             R"({"images":[null,3,{"url":5,"nsfwLevel":1},{"nsfwLevel":1}],
                                 "files":[{"id":11,"hashes":{"SHA256":null}}]})"}) {
        hub.alter_civitai(
            [body](const Request&, Response& response) { response = {.body = body}; });
        save_again();
        EXPECT_THAT(files(), ElementsAre(EndsWith("/model_dict-mid_299933-vid_610541.json")))
            << body;
    }
}

TEST_F(SavedCivitdlMetadata, IsRefusedWhenCivitaiDoesNotKnowTheModel) {
    const auto error = test::error_of([&] { save_again(); });
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(files(), IsEmpty());
}

TEST_F(SavedCivitdlMetadata, EndsWhenAStopIsRequested) {
    version.images = {{.name = "1.jpeg", .bytes = "one"}, {.name = "2.jpeg", .bytes = "two"}};
    hub.alter_images([&](const Request&, Response& response) {
        stop.request_stop();
        response.stall_after = 1;
    });
    EXPECT_EQ(test::error_of([&] { save(); }).kind(), ErrorKind::interrupted);
    EXPECT_THAT(images(), IsEmpty());
}

TEST_F(SavedCivitdlMetadata, IsForFilesOfCivitaiOnly) {
    file = {.url = "https://example.com/m.bin?sig=secret", .name = "m.bin"};
    const auto report = save_again();
    EXPECT_THAT(report.warnings, ElementsAre(testing::AllOf(HasSubstr("example.com"),
                                                            testing::Not(HasSubstr("secret")))));
    EXPECT_THAT(hub.civitai().requests(), IsEmpty());
}

TEST_F(SavedCivitdlMetadata, SavesTheHashesOfAFileWithTheLongestName) {
    file.name = std::string(300, 'n') + ".safetensors";
    save();
    EXPECT_THAT(files(), Contains(testing::AllOf(StartsWith("nnn"), SizeIs(255),
                                                 EndsWith("-mid_299933-vid_610541.csv"))));
}

TEST_F(SavedCivitdlMetadata, AsksForTheTagsOnce) {
    version.tags = {"anime", "style"};
    http::Client http;
    const auto error = test::error_of(
        [&] { hub::ask_civitai_tags(file, http, Mirrors{hub.mirrors()}, retry, {}); });
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_EQ(file.tags, std::nullopt);  // not asked for, which is not the same as none
    hub.add(version);
    for (int i = 0; i < 2; ++i)
        hub::ask_civitai_tags(file, http, Mirrors{hub.mirrors()}, retry, {});
    EXPECT_THAT(*file.tags, ElementsAre("anime", "style"));
    EXPECT_THAT(hub.civitai().requests(), SizeIs(2));
    hub::ResolvedFile other{.url = "https://example.com/m.bin"};
    hub::ask_civitai_tags(other, http, Mirrors{hub.mirrors()}, retry, {});
    EXPECT_THAT(*other.tags, IsEmpty());
    EXPECT_THAT(hub.civitai().requests(), SizeIs(2));
}

}  // namespace
}  // namespace podctl::download

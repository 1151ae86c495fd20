#include "get_folders.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "support/error_of.hpp"
#include "support/hub.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <algorithm>

// A hub's folder behind `podctl get`: what its listing says, and what is asked beside it.
namespace podctl::run {
namespace {

using test::HuggingFaceFile;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class GetFolders : public testing::Test {
protected:
    GetFolders() {
        hub.add(HuggingFaceFile{"o/r", "a.safetensors", weights});
        hub.add(HuggingFaceFile{"o/r", "vae/config.json", "{}", HuggingFaceFile::Storage::plain});
    }
    std::vector<hub::BatchEntry> files_of(const std::string& source) {
        const FolderQuestion question{
            globs,   http,
            mirrors, {.attempts = 1},
            {},      [this](const auto&, const auto& error) { failures.push_back(error); }};
        return with_files_of_folders({{.source = hub::parse_source(source)}}, question);
    }
    download::Got get(hub::BatchEntry entry) {
        entry.folder = dir / entry.folder;
        download::Downloader downloader{http, mirrors};
        download::Getter getter{downloader};
        return getter.get(request_of(model_of(entry, {}), {}), {.retry = {.attempts = 1}}, {});
    }
    std::size_t heads() const {
        const auto all = hub.huggingface().requests();
        return static_cast<std::size_t>(std::ranges::count(all, "HEAD", &test::Request::method));
    }
    // Of the pages that list files, each entry.
    void alter_entries(const std::function<void(nlohmann::json&)>& alter) {
        hub.alter_huggingface([=](const test::Request& request, test::Response& response) {
            if (request.path.find("/tree/") == std::string::npos) return;
            auto entries = nlohmann::json::parse(response.body);
            for (auto& entry : entries)
                alter(entry);
            response.body = entries.dump();
        });
    }

    const std::string weights = test::safetensors_bytes(200'000, 5);
    test::TempDir dir;
    test::Hub hub;
    http::Client http;
    const Mirrors mirrors{hub.mirrors()};
    hub::Globs globs;
    std::vector<Error> failures;
};

TEST_F(GetFolders, AskForNoFileByItselfWhatTheListingSays) {
    const auto files = files_of("hf:o/r");
    ASSERT_THAT(files, SizeIs(2));
    for (const auto& file : files)
        get(file);
    EXPECT_EQ(read_file(dir / "a.safetensors"), weights);
    EXPECT_EQ(read_file(dir / "vae/config.json"), "{}");
    EXPECT_EQ(heads(), 0u);
    const auto asked = hub.huggingface().requests().size();
    for (const auto& file : files)
        EXPECT_FALSE(get(file).changed);
    EXPECT_EQ(hub.huggingface().requests().size(), asked);
}

TEST_F(GetFolders, VerifyByTheListing) {
    const auto files = files_of("hf:o/r");
    hub.alter_huggingface([](const test::Request& request, test::Response& response) {
        if (request.path.ends_with("/config.json")) response.body = "[]";
    });
    hub.alter_store([](const test::Request&, test::Response& response) {
        if (!response.body.empty()) response.body.back() ^= 1;
    });
    for (const auto& file : files)
        EXPECT_EQ(test::error_of([&] { get(file); }).kind(), ErrorKind::integrity);
    EXPECT_FALSE(std::filesystem::exists(dir / "a.safetensors"));
    EXPECT_FALSE(std::filesystem::exists(dir / "vae/config.json"));
}

TEST_F(GetFolders, AskForADigestWhereTheListingHasNone) {
    alter_entries([](nlohmann::json& entry) {
        entry.erase("lfs");
        entry["oid"] = "";
    });
    for (const auto& file : files_of("hf:o/r")) {
        EXPECT_FALSE(file.listed);
        const auto got = get(file);
        EXPECT_FALSE(got.resolved.sha256.empty() && got.resolved.git_blob.empty());
    }
    EXPECT_EQ(heads(), 2u);
}

TEST_F(GetFolders, GoOnWithAFileThatWasCutOffByItsETag) {
    const auto files = files_of("hf:o/r");
    const auto file = std::ranges::find(files, "a.safetensors", &hub::BatchEntry::file);
    ASSERT_NE(file, files.end());
    hub.alter_store(
        [](const test::Request&, test::Response& response) { response.cut_after = 100'000; });
    EXPECT_EQ(test::error_of([&] { get(*file); }).kind(), ErrorKind::network);
    hub.alter_store({});
    const auto before = hub.store().requests().size();
    EXPECT_LT(get(*file).received, weights.size());
    const auto asked = hub.store().requests();
    ASSERT_GT(asked.size(), before);
    EXPECT_EQ(asked[before].header("if-range"), "\"" + sha256_hex(weights).substr(0, 16) + "\"");
    EXPECT_EQ(read_file(dir / "a.safetensors"), weights);
}

TEST_F(GetFolders, TellOfAFileThatIsRefusedThoughItIsListed) {
    const auto files = files_of("hf:o/r");
    hub.alter_huggingface([](const test::Request& request, test::Response& response) {
        if (request.path.find("/resolve/") == std::string::npos) return;
        response = {.status = 401,
                    .headers = {{"X-Error-Code", "GatedRepo"}, {"X-Error-Message", "Restricted"}}};
    });
    const auto error = test::error_of([&] { get(files.front()); });
    EXPECT_EQ(error.kind(), ErrorKind::unauthorized);
    EXPECT_THAT(error.message(), HasSubstr("gated"));
    EXPECT_THAT(error.hint(), HasSubstr("HF_TOKEN"));
}

TEST_F(GetFolders, LeaveOutByExcludeWhatNoFileHereCanBeCalled) {
    hub.add(HuggingFaceFile{"o/r", "vae/aux.png", "x"});
    EXPECT_THAT(files_of("hf:o/r"), IsEmpty());
    ASSERT_THAT(failures, SizeIs(1));
    EXPECT_THAT(failures.front().message(), HasSubstr("vae/aux.png"));
    EXPECT_THAT(failures.front().hint(), HasSubstr("--exclude leaves it out"));
    globs.exclude = {"*.png"};
    EXPECT_THAT(files_of("hf:o/r"), SizeIs(2));
    EXPECT_THAT(failures, SizeIs(1));
}

}  // namespace
}  // namespace podctl::run

#include "podctl/hub/folder.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"

#include "support/hub.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace podctl::hub {
namespace {

using test::HuggingFaceFile;
using testing::ElementsAre;
using testing::HasSubstr;

const HuggingFaceSource& hub_of(const Source& source) {
    return std::get<HuggingFaceSource>(source.location);
}

TEST(FolderSource, IsARepositoryOrAPathWithASlashAtItsEnd) {
    for (const auto* text :
         {"hf:o/r", "hf:o/r/", "hf:o/r@main", "https://huggingface.co/o/r",
          "https://huggingface.co/o/r/tree/main", "https://huggingface.co/o/r/tree/main/"}) {
        const auto source = parse_source(text);
        EXPECT_TRUE(is_folder(source)) << text;
        EXPECT_EQ(hub_of(source).path, "") << text;
        EXPECT_EQ(hub_of(source).revision, "main") << text;
    }
    for (const auto* text : {"hf:o/r@refs/pr/1/a/b/", "hf:o/r@refs%2Fpr%2F1/a/b/",
                             "https://huggingface.co/o/r/tree/refs/pr/1/a/b"}) {
        const auto source = parse_source(text);
        EXPECT_TRUE(is_folder(source)) << text;
        EXPECT_EQ(hub_of(source).path, "a/b") << text;
        EXPECT_EQ(hub_of(source).revision, "refs/pr/1") << text;
    }
    EXPECT_FALSE(is_folder(parse_source("hf:o/r/a/b")));
    EXPECT_FALSE(is_folder(parse_source("https://huggingface.co/o/r/blob/main/a.safetensors")));
    EXPECT_NE(location_key(parse_source("hf:o/r/a").location),
              location_key(parse_source("hf:o/r/a/").location));
}

TEST(FolderSource, IsNoFileWithoutARepository) {
    for (const auto* text :
         {"hf:o", "hf:gpt2/model.safetensors", "https://huggingface.co/o", "hf:o/r//a/",
          "hf:o/r/../", "https://huggingface.co/o/r/resolve/main/"})
        EXPECT_THROW(parse_source(text), Error) << text;
}

TEST(FolderSource, NamesOfBucketsAreToldWithWhatToWrite) {
    for (const auto* text : {"s3://bucket/key.safetensors", "gs://bucket/key.safetensors"}) {
        try {
            parse_source(text);
            ADD_FAILURE() << text;
        } catch (const Error& error) {
            EXPECT_THAT(error.hint(), HasSubstr("https URL")) << text;
        }
    }
}

TEST(Globs, AreThoseOfTheHubsOwnClient) {
    const Globs weights{.include = {"*.safetensors"}, .exclude = {"unet/"}};
    EXPECT_TRUE(is_chosen("a.safetensors", weights));
    EXPECT_TRUE(is_chosen("vae/a.safetensors", weights));  // a * matches a slash, too
    EXPECT_FALSE(is_chosen("unet/a.safetensors", weights));
    EXPECT_FALSE(is_chosen("a.json", weights));
    EXPECT_TRUE(is_chosen("a[1].json", {}));
    EXPECT_TRUE(is_chosen("v1.json", {.include = {"v[0-9].json"}}));
    EXPECT_FALSE(is_chosen("vx.json", {.include = {"v[!x].json"}}));
}

class ListFolder : public testing::Test {
protected:
    ListFolder() {
        using enum HuggingFaceFile::Storage;
        for (const auto* path : {"model_index.json", ".gitattributes", "vae/config.json",
                                 "vae/.cache/x.json", "vae/deep/notes.txt"})
            hub.add(HuggingFaceFile{"o/r", path, "text of " + std::string(path), plain});
        for (const auto* path : {"vae/a.safetensors", "unet/b.safetensors"})
            hub.add(HuggingFaceFile{"o/r", path, test::safetensors_bytes(1'000), lfs});
    }
    Folder list(const std::string& text) {
        return list_folder(parse_source(text), http, Mirrors{hub.mirrors()}, {.attempts = 1}, {});
    }
    Error list_error(const std::string& text) {
        try {
            list(text);
        } catch (const Error& error) {
            return error;
        }
        return Error{ErrorKind::internal, "none"};
    }
    static std::vector<std::string> paths(const Folder& folder) {
        std::vector<std::string> paths;
        for (const auto& file : folder.files)
            paths.push_back(file.path);
        return paths;
    }
    // The page that lists the files, in place of the hub's.
    void answer_tree(const nlohmann::json& entries, const std::string& link = {}) {
        hub.alter_huggingface([=](const test::Request& request, test::Response& response) {
            if (request.path.find("/tree/") == std::string::npos) return;
            response.body = entries.dump();
            std::erase_if(response.headers, [](const auto& it) { return it.first == "Link"; });
            if (!link.empty()) response.headers.emplace_back("Link", link);
        });
    }

    static std::string many_folders() {
        std::string path = "a";
        for (int i = 0; i < 100; ++i)
            path += "/a";
        return path;
    }

    test::Hub hub;
    http::Client http;
};

TEST_F(ListFolder, GoesThroughAllPagesAndPinsTheCommit) {
    const auto folder = list("hf:o/r");
    EXPECT_EQ(folder.revision, test::Hub::commit);
    EXPECT_THAT(paths(folder),
                ElementsAre("model_index.json", "unet/b.safetensors", "vae/a.safetensors",
                            "vae/config.json", "vae/deep/notes.txt"));
    const auto& small = folder.files[0].file;
    EXPECT_EQ(small.git_blob, git_blob_id("text of model_index.json"));
    EXPECT_EQ(small.sha256, "");
    EXPECT_THAT(small.url, HasSubstr(std::string("/o/r/resolve/") + test::Hub::commit + "/"));
    const auto& large = folder.files[1].file;
    EXPECT_EQ(large.sha256, sha256_hex(test::safetensors_bytes(1'000)));
    EXPECT_EQ(large.size, test::safetensors_bytes(1'000).size());
    EXPECT_EQ(large.git_blob, "");
}

TEST_F(ListFolder, OfAFolderNamesItsFilesFromThere) {
    EXPECT_THAT(paths(list("hf:o/r/vae/")),
                ElementsAre("a.safetensors", "config.json", "deep/notes.txt"));
    const auto source = parse_source("hf:o/r/vae/");
    const auto file = list("hf:o/r/vae/").files.front();
    const auto alone = source_of_file(hub_of(source), file);
    EXPECT_EQ(alone.text, std::string("hf:o/r@") + test::Hub::commit + "/vae/a.safetensors");
    EXPECT_EQ(location_key(alone.location), location_key(parse_source(alone.text).location));
}

TEST_F(ListFolder, ThatIsNotThereIsToldAsTheHubTellsIt) {
    EXPECT_EQ(list_error("hf:o/r/none/").kind(), ErrorKind::not_found);
    EXPECT_EQ(list_error("hf:o/none").kind(), ErrorKind::not_found);
}

TEST_F(ListFolder, NoNameLeadsOutOfTheFolder) {
    const std::vector<std::string> paths_of_attackers{"../x",         std::string(2'000, 'a'),
                                                      many_folders(), "/etc/x",
                                                      "a/../../x",    "a//x",
                                                      "a\u0001",      "a\u202ex"};
    for (const auto& path : paths_of_attackers) {
        answer_tree({{{"type", "file"}, {"path", path}, {"size", 1}, {"oid", ""}}});
        const auto error = list_error("hf:o/r");
        EXPECT_TRUE(error.kind() == ErrorKind::integrity || error.kind() == ErrorKind::internal)
            << path;
        if (error.kind() == ErrorKind::internal) {
            EXPECT_THAT(paths(list("hf:o/r")), ElementsAre());
        }
    }
    answer_tree({{{"type", "file"}, {"path", "other/x"}, {"size", 1}, {"oid", ""}}});
    EXPECT_EQ(list_error("hf:o/r/vae/").kind(), ErrorKind::integrity);
}

TEST_F(ListFolder, NamesThatNoFileHereCanHaveAreOfNoMatterWhereNobodyWantsThem) {
    hub.add(HuggingFaceFile{"o/r", "vae/aux.png", "x"});
    hub.add(HuggingFaceFile{"o/r", "aux.txt", "x"});
    const auto folder = list("hf:o/r");
    EXPECT_THAT(folder.impossible, ElementsAre("aux.txt", "vae/aux.png"));
    EXPECT_EQ(folder.files.size(), 5u);
    const auto with = [&](const Globs& globs) {
        return impossible_in(chosen_of(folder, globs), "hf:o/r", "`exclude`");
    };
    EXPECT_FALSE(with({.exclude = {"*.png", "aux.*"}}));
    EXPECT_FALSE(with({.include = {"*.json"}}));
    const auto error = with({.include = {"vae/*"}});
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::integrity);
    EXPECT_THAT(error->message(), HasSubstr("vae/aux.png"));
    EXPECT_THAT(error->hint(), HasSubstr("`exclude` leaves it out"));
}

TEST_F(ListFolder, TheNextPageIsAskedOfTheSameHubAlone) {
    answer_tree({{{"type", "file"}, {"path", "x.json"}, {"size", 1}, {"oid", ""}}},
                "<https://elsewhere.example/next>; rel=\"next\"");
    EXPECT_EQ(list_error("hf:o/r").kind(), ErrorKind::integrity);
}

TEST_F(ListFolder, PagesWithoutEndAreLeft) {
    answer_tree(nlohmann::json::array(),
                std::string("<https://huggingface.co/api/models/o/r/tree/") + test::Hub::commit +
                    "?cursor=1>; rel=\"next\"");
    EXPECT_THAT(list_error("hf:o/r").message(), HasSubstr("pages without end"));
}

TEST_F(ListFolder, AnAnswerThatMakesNoSenseIsToldAsSuch) {
    for (const auto& entries :
         {nlohmann::json{{"error", "x"}}, nlohmann::json{{{"type", "file"}, {"path", "a.json"}}},
          nlohmann::json{{{"type", "file"}, {"path", "a.json"}, {"size", -1}}},
          nlohmann::json{{{"type", "file"}, {"path", "a.json"}, {"size", std::uint64_t(-1)}}},
          nlohmann::json{{{"type", "file"}, {"path", "a"}, {"size", 1}},
                         {{"type", "file"}, {"path", "a.b"}, {"size", 1}},
                         {{"type", "file"}, {"path", "a/b"}, {"size", 1}}}}) {
        answer_tree(entries);
        EXPECT_EQ(list_error("hf:o/r").kind(), ErrorKind::integrity) << entries;
    }
}

}  // namespace
}  // namespace podctl::hub

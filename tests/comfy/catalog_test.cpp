#include "podctl/template/catalog.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/names.hpp"
#include "podctl/hub/source.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

// What the template room cannot hold its catalog to: sources, and the folders of ComfyUI and of the
// packs that read them.
namespace podctl::comfy {
namespace {

const std::set<std::string> known_folders = {
    "checkpoints", "clip_vision", "controlnet", "diffusion_models", "insightface", "instantid",
    "ipadapter",   "loras",       "sams",       "text_encoders",    "vae"};

template <typename Check>
void for_every_file(Check check) {
    std::size_t files = 0;
    for (const auto& entry : tmpl::catalog().entries) {
        for (const auto& file : entry.files) {
            const testing::ScopedTrace trace{__FILE__, __LINE__, entry.name + ": " + file.source};
            ++files;
            check(file);
        }
    }
    EXPECT_GT(files, 15u);
}

// The name that the source itself tells; empty: only the hub knows.
std::string name_of(const tmpl::CatalogFile& file, const hub::Location& location) {
    if (!file.name.empty()) return file.name;
    std::string path;
    if (const auto* hub = std::get_if<hub::HuggingFaceSource>(&location)) path = hub->path;
    if (const auto* url = std::get_if<hub::UrlSource>(&location)) path = url->url;
    return path.substr(path.rfind('/') + 1);
}

TEST(Catalog, HasSourcesThatCanBeFetched) {
    for_every_file([](const tmpl::CatalogFile& file) {
        const auto source = hub::parse_source(file.source);
        EXPECT_TRUE(source.note.empty()) << source.note;
        EXPECT_TRUE(source.token_in_query.empty());
        const auto* civitai = std::get_if<hub::CivitaiSource>(&source.location);
        EXPECT_TRUE(!civitai || civitai->version) << "the newest is not always the same";
    });
}

TEST(Catalog, HasFoldersThatAreRead) {
    for_every_file([](const tmpl::CatalogFile& file) {
        EXPECT_TRUE(known_folders.contains(file.to.substr(0, file.to.find('/')))) << file.to;
    });
}

TEST(Catalog, HasDigestsAndTheWordForPickles) {
    for_every_file([](const tmpl::CatalogFile& file) {
        EXPECT_TRUE(file.sha256.empty() || is_sha256(file.sha256)) << file.sha256;
        EXPECT_EQ(file.sha256, to_lower(file.sha256));
        const auto name = name_of(file, hub::parse_source(file.source).location);
        EXPECT_EQ(file.allow_pickle, is_pickle_name(name)) << name;
        EXPECT_EQ(file.unpack, name.ends_with(".zip")) << name;
        // What is not checked against a digest here must come from a hub that gives one.
        const bool hub = file.source.starts_with("hf:") || file.source.starts_with("civitai:");
        EXPECT_TRUE(hub || !file.sha256.empty());
    });
}

}  // namespace
}  // namespace podctl::comfy

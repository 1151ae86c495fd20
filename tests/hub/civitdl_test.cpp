#include "podctl/hub/civitdl.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include "support/error_of.hpp"
#include "support/hub.hpp"

#include <gmock/gmock.h>

namespace podctl::hub {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

ResolvedFile named(const std::string& model, const std::string& file = "m.safetensors") {
    return {.name = file,
            .model_name = model,
            .model_id = 1,
            .version_id = 2,
            .tags = std::vector<std::string>{}};
}

std::string folder_of(const std::string& model) {
    return civitdl_path(named(model)).parent_path();
}

std::string file_of(const std::string& file) {
    return civitdl_path(named("M", file)).filename();
}

TEST(CivitdlPath, IsWhereTheBasicSorterPutsAFile) {
    const ResolvedFile file{.name = "halcyonSDXL_v17.safetensors",
                            .model_name = "Halcyon SDXL - Photorealism",
                            .model_id = 299933,
                            .version_id = 610541};
    EXPECT_EQ(civitdl_path(file),
              "Halcyon SDXL - Photorealism/halcyonSDXL_v17-mid_299933-vid_610541.safetensors");
}

TEST(CivitdlPath, HasTheTagsSortersFolders) {
    auto file = named("M");
    const auto sorted = [&](std::vector<std::string> tags) {
        file.tags = std::move(tags);
        return civitdl_path(file, CivitdlSorter::tags).parent_path().string();
    };
    file.base_model = "SDXL 1.0";
    EXPECT_EQ(sorted({}), "SDXL_1.0/others/others/M");
    EXPECT_EQ(sorted({"woman", "character", "anime"}), "SDXL_1.0/anime/character/M");
    // Of several, the first in civitdl's list, whatever their order.
    EXPECT_EQ(sorted({"concept", "others", "poses"}), "SDXL_1.0/others/poses/M");
    EXPECT_EQ(sorted({"Anime", "styles"}), "SDXL_1.0/others/others/M");
    file.base_model = "";
    EXPECT_EQ(sorted({"anime"}), "anime/others/M");
    file.base_model = "../..";
    EXPECT_EQ(sorted({}), "_../others/others/M");
}

TEST(CivitdlPath, NeedsTheTagsForTheTagsSorter) {
    auto file = named("M");
    file.tags.reset();
    const auto error = test::error_of([&] { civitdl_path(file, CivitdlSorter::tags); });
    EXPECT_EQ(error.kind(), ErrorKind::internal);
    EXPECT_EQ(civitdl_path(file).parent_path(), "M");
}

TEST(CivitdlPath, ReplacesInTheModelsNameWhatCivitdlReplaces) {
    EXPECT_EQ(folder_of(R"(a<b>c:d"e?f/g\h|i*j)"), "a(b)c,d-e.f&g&h&i&j");
    EXPECT_EQ(folder_of("What? (v2)"), "What (v2)");
    EXPECT_EQ(folder_of("a.;!  [b]"), "a [b]");
    EXPECT_EQ(folder_of("a, b. c"), "a, b. c");
    EXPECT_EQ(folder_of("  two   words "), "two words");
    EXPECT_EQ(folder_of("Really?"), "Really.");
    EXPECT_EQ(folder_of("And so on..."), "And so on...");
}

TEST(CivitdlPath, LeavesTheFilesNameAlone) {
    EXPECT_EQ(file_of("a:b<c>? (x)  y.v1.safetensors"),
              "a:b<c>? (x)  y.v1-mid_1-vid_2.safetensors");
    EXPECT_EQ(file_of("no extension"), "no extension-mid_1-vid_2");
    EXPECT_EQ(file_of("モデル.safetensors"), "モデル-mid_1-vid_2.safetensors");
    EXPECT_EQ(file_of("two words .bin"), "two words -mid_1-vid_2.bin");
}

TEST(CivitdlPath, StaysInItsFolderWhateverTheServerSays) {
    for (const std::string hostile :
         {"..", ".", "", "/", "/etc/passwd", "../../x.bin", "a/../../b.bin", "..\\x", "-rf", "\n",
          "\u202Egpj.bin", "CON", "a\x1b[2J.bin"}) {
        auto file = named(hostile, hostile);
        file.base_model = hostile;
        for (const auto sorter : {CivitdlSorter::basic, CivitdlSorter::tags}) {
            const auto path = civitdl_path(file, sorter);
            EXPECT_TRUE(is_inside(std::filesystem::path{"/root"} / path, "/root")) << hostile;
            EXPECT_TRUE(path.is_relative()) << hostile;
            for (const auto& part : path) {
                EXPECT_NE(part, "..") << hostile;
                EXPECT_EQ(part.string().find_first_of("\n\x1b\\"), std::string::npos) << hostile;
                EXPECT_FALSE(part.string().starts_with('-')) << hostile;
                EXPECT_FALSE(part.string().starts_with('.')) << hostile;
            }
        }
    }
    EXPECT_EQ(folder_of(".."), "mid_1");
    EXPECT_EQ(folder_of("CON"), "_CON");
    EXPECT_EQ(file_of("CON"), "CON-mid_1-vid_2");
    EXPECT_EQ(file_of(""), "mid_1-vid_2");
}

TEST(CivitdlPath, FitsAndKeepsTheIds) {
    std::string name(100, 'a');
    for (int i = 0; i < 100; ++i)
        name += "\u20AC";
    EXPECT_LE(file_of(name + ".safetensors").size(), 255u);
    EXPECT_THAT(file_of(name + ".safetensors"), EndsWith("\u20AC-mid_1-vid_2.safetensors"));
    EXPECT_LE(folder_of(name).size(), 255u);
    EXPECT_THAT(folder_of(name), StartsWith("aaa"));
    EXPECT_EQ(folder_of(name).size() % 3, 100u % 3);  // no character is cut
    const auto dotted = file_of("a." + name);
    EXPECT_LE(dotted.size(), 255u);
    EXPECT_THAT(dotted, EndsWith("-mid_1-vid_2"));
    EXPECT_LE(folder_of(std::string(254, 'a') + "....").size(), 255u);
}

}  // namespace
}  // namespace podctl::hub

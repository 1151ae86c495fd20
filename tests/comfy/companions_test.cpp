#include "podctl/base/file.hpp"
#include "podctl/comfy/comfy.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

namespace podctl::comfy {
namespace {

constexpr auto impact_url = "https://github.com/ltdrdata/ComfyUI-Impact-Pack.git";
// As V7's __init__.py has it.
constexpr auto impact_7 =
    "subpack_path = os.path.join(os.path.dirname(__file__), \"impact_subpack\")\n"
    "sys.path.append(subpack_path)\n"
    "try:\n"
    "    import impact.subpack_nodes  # This import must be done before cv2.\n";

class MissingCompanion : public ::testing::Test {
protected:
    void write(const std::string& file, std::string_view content) {
        write_file_atomically(pack_ / file, content);
    }
    std::optional<Companion> find(const std::string& url = impact_url) {
        return missing_companion(url, pack_.path());
    }

    test::TempDir pack_;
};

TEST_F(MissingCompanion, IsTheSubpackForImpactPack7) {
    write("__init__.py", impact_7);
    const auto companion = find();
    ASSERT_TRUE(companion);
    EXPECT_EQ(companion->url, "https://github.com/ltdrdata/ComfyUI-Impact-Subpack.git");
    EXPECT_EQ(companion->folder, pack_ / "impact_subpack");
}

TEST_F(MissingCompanion, IsNoneOnceTheSubpackIsThere) {
    write("__init__.py", impact_7);
    write("impact_subpack/impact/subpack_nodes.py", "");
    EXPECT_FALSE(find());
}

TEST_F(MissingCompanion, IsNamedWhenTheSubpackHasItsNewLayout) {
    write("__init__.py", impact_7);
    write("impact_subpack/modules/subpack_nodes.py", "");
    EXPECT_TRUE(find());
}

TEST_F(MissingCompanion, IsNoneForImpactPack8) {
    write("__init__.py", "import impact.config\nfrom .modules.impact.impact_pack import *\n");
    EXPECT_FALSE(find());
}

TEST_F(MissingCompanion, IsNoneForAPackThatIsNotThereOrASingleFile) {
    EXPECT_FALSE(find());
    write("node.py", "");
    EXPECT_FALSE(missing_companion("", pack_ / "node.py"));
}

TEST_F(MissingCompanion, ComesFromWhereThePackCameFrom) {
    write("__init__.py", impact_7);
    EXPECT_EQ(find("https://git.example/github/ltdrdata/ComfyUI-Impact-Pack/")->url,
              "https://git.example/github/ltdrdata/ComfyUI-Impact-Subpack");
    EXPECT_EQ(find("https://github.com/me/my-impact.git")->url,
              "https://github.com/ltdrdata/ComfyUI-Impact-Subpack.git");
}

}  // namespace
}  // namespace podctl::comfy

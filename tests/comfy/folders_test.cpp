#include "podctl/base/file.hpp"
#include "podctl/comfy/comfy.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

namespace podctl::comfy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(FolderOfType, KnowsTheTypesOfCivitai) {
    EXPECT_EQ(folder_of_type("Checkpoint"), "checkpoints");
    EXPECT_EQ(folder_of_type("LORA"), "loras");
    EXPECT_EQ(folder_of_type("DoRA"), "loras");
    EXPECT_EQ(folder_of_type("TextualInversion"), "embeddings");
    EXPECT_EQ(folder_of_type("Controlnet"), "controlnet");
    EXPECT_EQ(folder_of_type("VAE"), "vae");
    EXPECT_EQ(folder_of_type("Text Encoder"), "text_encoders");
    EXPECT_EQ(folder_of_type("Diffusion Model"), "diffusion_models");
    EXPECT_EQ(folder_of_type("UNet/GGUF"), "unet");
}

TEST(FolderOfType, HasNoneForWhatComfyUiDoesNotLoad) {
    EXPECT_EQ(folder_of_type("Workflows"), std::nullopt);
    EXPECT_EQ(folder_of_type("Archive"), std::nullopt);
    EXPECT_EQ(folder_of_type("Training Data"), std::nullopt);
    EXPECT_EQ(folder_of_type(""), std::nullopt);
}

TEST(RequirementFiles, AreThePacksOwnAndThoseOfVendoredPacks) {
    test::TempDir pack;
    write_file_atomically(pack / "requirements.txt", "scipy\n");
    write_file_atomically(pack / "impact_subpack/requirements.txt", "ultralytics\n");
    write_file_atomically(pack / "a/b/requirements.txt", "too deep\n");
    EXPECT_THAT(requirement_files(pack.path()),
                ElementsAre(pack / "requirements.txt", pack / "impact_subpack/requirements.txt"));
}

TEST(RequirementFiles, LeaveOutThoseForDevelopers) {
    test::TempDir pack;
    for (const auto* folder : {"tests", "docs", ".github", "old.disabled"})
        write_file_atomically(pack / folder / "requirements.txt", "pytest\n");
    EXPECT_THAT(requirement_files(pack.path()), IsEmpty());
}

TEST(RequirementFiles, OfAPackThatIsASingleFileAreNone) {
    test::TempDir dir;
    write_file_atomically(dir / "node.py", "");
    EXPECT_THAT(requirement_files(dir / "node.py"), IsEmpty());
    EXPECT_THAT(requirement_files(dir / "absent"), IsEmpty());
}

// app/frontend_management.py of v0.3.64, whose requirements.txt has no line for it.
TEST(UnlistedRequirements, AreWhatComfyUiImportsWithoutListingIt) {
    test::TempDir comfyui;
    EXPECT_THAT(unlisted_requirements(comfyui.path()), IsEmpty());
    write_file_atomically(comfyui / "app/frontend_management.py",
                          "import zipfile\nimport requests\n");
    EXPECT_THAT(unlisted_requirements(comfyui.path()), ElementsAre("requests"));
    write_file_atomically(comfyui / "requirements.txt", "torch\nrequests-toolbelt>=1\n");
    EXPECT_THAT(unlisted_requirements(comfyui.path()), ElementsAre("requests"));
    write_file_atomically(comfyui / "requirements.txt", "torch\nrequests>=2\n");
    EXPECT_THAT(unlisted_requirements(comfyui.path()), IsEmpty());
}

}  // namespace
}  // namespace podctl::comfy

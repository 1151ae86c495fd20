#include "model_folders.hpp"

#include "support.hpp"

#include <string>

// Where a model goes: folders that something reads, and those that are only meant.
namespace podctl::tmpl::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> faults_of_folder(const std::string& to) {
    return faults("comfyui: {}\nmodels: [{source: 'hf:a/b/c.safetensors', to: '" + to + "'}]\n");
}

TEST(ModelFolders, ThatAreMeantAreProposed) {
    const std::vector<std::pair<std::string, std::string>> meant{
        {"lora", "loras"},
        {"Loras", "loras"},
        {"ckpt", "checkpoints"},
        {"Stable-diffusion", "checkpoints"},
        {"esrgan", "upscale_models"},
        {"ESRGAN", "upscale_models"},
        {"text_encoder", "text_encoders"},
        {"ControlNet", "controlnet"},
        {"clip-vision", "clip_vision"},
        {"checkpiont", "checkpoints"},
        {"ip_adapter", "ipadapter"},
        {"IPAdapter", "ipadapter"}};
    for (const auto& [written, folder] : meant) {
        EXPECT_EQ(folder_meant(written), folder) << written;
        EXPECT_THAT(faults_of_folder(written + "/sdxl"),
                    ElementsAre(AllOf(HasSubstr("pod.yaml:4:"), HasSubstr("models[0].to"),
                                      HasSubstr("did you mean " + folder + "?"))))
            << written;
    }
}

TEST(ModelFolders, ThatAreReadOrUnknownAreTaken) {
    for (const std::string folder : {"loras/sdxl",
                                     "checkpoints",
                                     "ultralytics/bbox",
                                     "sams",
                                     "sam2",
                                     "insightface/models",
                                     "controlnext",
                                     "ipadapter-flux",
                                     "ipadapter",
                                     "instantid",
                                     "LLM",
                                     "llm",
                                     "unet",
                                     "gguf",
                                     "yolo-world",
                                     "face_detection",
                                     "clap",
                                     "vace",
                                     "vad",
                                     "config",
                                     "loras2",
                                     "InstantID",
                                     "clip",
                                     "my_pack",
                                     "x",
                                     "/workspace/ComfyUI/models/lora",
                                     "/workspace/elsewhere"})
        EXPECT_THAT(faults_of_folder(folder), IsEmpty()) << folder;
}

TEST(ModelFolders, AreNotDoubled) {
    for (const std::string folder :
         {"models/loras", "ComfyUI/models/loras", "./ComfyUI/models", "comfyui/models/vae"})
        EXPECT_THAT(faults_of_folder(folder),
                    ElementsAre(HasSubstr("it is under ComfyUI's models/ already")))
            << folder;
}

TEST(ModelFolders, AreNoFiles) {
    for (const std::string folder : {"loras/a.safetensors", "checkpoints/B.CKPT/",
                                     "/workspace/ComfyUI/models/loras/a.safetensors"})
        EXPECT_THAT(faults_of_folder(folder), ElementsAre(HasSubstr("is given by `name`")))
            << folder;
}

TEST(Paths, AreNotThoseOfWindows) {
    EXPECT_THAT(faults_of_folder("checkpoints\\sdxl"),
                ElementsAre(HasSubstr("it has a backslash")));
    EXPECT_THAT(faults("comfyui: {path: \"C:\\\\ComfyUI\"}\n"),
                ElementsAre(AllOf(HasSubstr("comfyui.path"), HasSubstr("it has a backslash"))));
    EXPECT_THAT(faults("comfyui: {path: \u201CComfyUI\u201D}\n"),
                ElementsAre(AllOf(HasSubstr("comfyui.path"), HasSubstr("no quotes of YAML"))));
}

}  // namespace
}  // namespace podctl::tmpl::test

#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/comfy/comfy.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <system_error>

namespace podctl::comfy {

namespace {

namespace fs = std::filesystem;

struct TypeFolder {
    std::string_view
        type;  // as letters(): the API writes "Text Encoder", people write text_encoder
    std::string_view folder;
};

constexpr std::array<TypeFolder, 17> type_folders = {{
    {"checkpoint", "checkpoints"},
    {"lora", "loras"},
    {"locon", "loras"},
    {"dora", "loras"},
    {"textualinversion", "embeddings"},
    {"controlnet", "controlnet"},
    {"upscaler", "upscale_models"},
    {"hypernetwork", "hypernetworks"},
    {"vae", "vae"},
    {"textencoder", "text_encoders"},
    {"diffusionmodel", "diffusion_models"},
    {"unet", "unet"},
    {"gguf", "unet"},
    {"unetgguf", "unet"},
    {"clipvision", "clip_vision"},
    {"motionmodule", "animatediff_models"},
    {"embedding", "embeddings"},
}};

std::string letters(std::string_view text) {
    std::string kept;
    for (const char c : to_lower(text))
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) kept += c;
    return kept;
}

}  // namespace

std::optional<std::string> folder_of_type(std::string_view civitai_type) {
    const auto type = letters(civitai_type);
    const auto found = std::ranges::find(type_folders, type, &TypeFolder::type);
    if (found == type_folders.end()) return std::nullopt;
    return std::string(found->folder);
}

}  // namespace podctl::comfy

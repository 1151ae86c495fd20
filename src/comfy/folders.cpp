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

// Folders of a pack whose requirements are for its developers, not for ComfyUI.
bool is_for_developers(std::string_view folder) {
    constexpr std::array<std::string_view, 10> names = {"ci",         "dev",      "doc",  "docs",
                                                        "example",    "examples", "test", "tests",
                                                        "tests-unit", "notebook"};
    return folder.starts_with('.') || folder.ends_with(".disabled") ||
           std::ranges::find(names, folder) != names.end();
}

}  // namespace

std::optional<std::string> folder_of_type(std::string_view civitai_type) {
    const auto type = letters(civitai_type);
    const auto found = std::ranges::find(type_folders, type, &TypeFolder::type);
    if (found == type_folders.end()) return std::nullopt;
    return std::string(found->folder);
}

std::vector<fs::path> requirement_files(const fs::path& pack) {
    std::error_code error;
    std::vector<fs::path> nested;
    for (fs::directory_iterator entry{pack, error}, end; !error && entry != end;
         entry.increment(error)) {
        if (is_for_developers(entry->path().filename().string())) continue;
        auto file = entry->path() / "requirements.txt";
        std::error_code absent;
        if (fs::is_regular_file(file, absent)) nested.push_back(std::move(file));
    }
    if (error && error != std::errc::no_such_file_or_directory &&
        error != std::errc::not_a_directory)
        throw system_error(pack.string(), error.value());
    std::ranges::sort(nested);
    std::error_code absent;
    auto own = pack / "requirements.txt";
    if (fs::is_regular_file(own, absent)) nested.insert(nested.begin(), std::move(own));
    return nested;
}

}  // namespace podctl::comfy

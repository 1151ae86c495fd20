#include "model_folders.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/text.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

namespace podctl::tmpl {
namespace {

// What ComfyUI's folder_paths.py reads. Packs read what they like, so only a clear slip in one of
// these is told.
const std::vector<std::string>& folders_of_comfyui() {
    static const std::vector<std::string> names{
        "audio_encoders",        "checkpoints", "classifiers",   "clip",
        "clip_vision",           "configs",     "controlnet",    "diffusers",
        "diffusion_models",      "embeddings",  "gligen",        "hypernetworks",
        "latent_upscale_models", "loras",       "model_patches", "photomaker",
        "style_models",          "t2i_adapter", "text_encoders", "unet",
        "upscale_models",        "vae",         "vae_approx"};
    return names;
}

// What packs read and a slip in ComfyUI's own would look like.
constexpr std::array folders_of_packs{"controlnext", "controlnet_aux", "animatediff_models"};

// What other tools call them, as letters().
constexpr std::array<std::pair<std::string_view, std::string_view>, 31> other_names{{
    {"ckpt", "checkpoints"},
    {"ckpts", "checkpoints"},
    {"checkpoint", "checkpoints"},
    {"stablediffusion", "checkpoints"},
    {"lora", "loras"},
    {"lycoris", "loras"},
    {"locon", "loras"},
    {"esrgan", "upscale_models"},
    {"realesrgan", "upscale_models"},
    {"upscale", "upscale_models"},
    {"upscaler", "upscale_models"},
    {"upscalers", "upscale_models"},
    {"upscalemodel", "upscale_models"},
    {"embedding", "embeddings"},
    {"textualinversion", "embeddings"},
    {"textualinversions", "embeddings"},
    {"controlnets", "controlnet"},
    {"controlnetmodels", "controlnet"},
    {"vaes", "vae"},
    {"clips", "clip"},
    {"clipvisions", "clip_vision"},
    {"textencoder", "text_encoders"},
    {"unets", "unet"},
    {"diffusionmodel", "diffusion_models"},
    {"diffusion", "diffusion_models"},
    {"hypernetwork", "hypernetworks"},
    {"stylemodel", "style_models"},
    {"motionmodules", "animatediff_models"},
    {"ipadapters", "ipadapter"},
    {"ipadapter", "ipadapter"},
    {"facerestoremodel", "facerestore_models"},
}};

std::string letters(std::string_view text) {
    std::string kept;
    std::ranges::copy_if(to_lower(text), std::back_inserter(kept), is_alphanumeric);
    return kept;
}

bool is_read(std::string_view folder) {
    return std::ranges::find(folders_of_packs, folder) != folders_of_packs.end() ||
           std::ranges::find(folders_of_comfyui(), folder) != folders_of_comfyui().end();
}

}  // namespace

std::optional<std::string> folder_meant(std::string_view name) {
    if (is_read(name)) return std::nullopt;
    const std::string wanted = letters(name);
    for (const auto& [other, folder] : other_names)
        if (other == wanted && folder != name) return std::string{folder};
    for (const std::string& folder : folders_of_comfyui())
        if (letters(folder) == wanted) return folder;
    // Short words are near to others that packs read: vad to vae, clap to clip.
    constexpr std::size_t shortest_slip = 9;
    const auto near =
        name.size() < shortest_slip ? std::nullopt : nearest(name, folders_of_comfyui());
    const bool is_slip = near && near->size() <= name.size() + 1 && name.size() <= near->size() + 1;
    return is_slip ? near : std::nullopt;
}

}  // namespace podctl::tmpl

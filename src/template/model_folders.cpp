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

// What ComfyUI's folder_paths.py reads. A slip in one of these is told, in the packs' names only
// another case is: too many of them are alike.
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

// What packs read, from their sources and ComfyUI-Manager's model-list.json.
constexpr std::array folders_of_packs{"AnimateDiff",
                                      "BiRefNet",
                                      "CogVideo",
                                      "Janus-Pro",
                                      "LLM",
                                      "MoGe",
                                      "RGT",
                                      "RMBG",
                                      "VQA",
                                      "animatediff_models",
                                      "animatediff_motion_lora",
                                      "blip",
                                      "clip_interrogator",
                                      "clip_seg",
                                      "controlnext",
                                      "deepbump",
                                      "depth",
                                      "depthanything",
                                      "dynamicrafter_models",
                                      "face_restore",
                                      "facedetection",
                                      "facerestore_models",
                                      "facexlib",
                                      "groundingdino",
                                      "grounding-dino",
                                      "hyperswap",
                                      "inpaint",
                                      "insightface",
                                      "instance_models",
                                      "instantid",
                                      "ipadapter",
                                      "ipadapter-flux",
                                      "kjnodes_fonts",
                                      "layer_model",
                                      "layerstyle",
                                      "luts",
                                      "mediapipe",
                                      "mmdets",
                                      "nsfw_detector",
                                      "onnx",
                                      "prompt_generator",
                                      "pulid",
                                      "rams",
                                      "reactor",
                                      "rembg",
                                      "reswapper",
                                      "rmbg",
                                      "sam2",
                                      "sams",
                                      "seecoders",
                                      "ultralytics",
                                      "xlabs",
                                      "yolo_world"};

// What other tools call them, as letters().
constexpr std::array<std::pair<std::string_view, std::string_view>, 33> other_names{{
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
    {"gguf", "unet"},
    {"diffusionmodel", "diffusion_models"},
    {"diffusion", "diffusion_models"},
    {"hypernetwork", "hypernetworks"},
    {"stylemodel", "style_models"},
    {"motionmodules", "animatediff_models"},
    {"ipadapters", "ipadapter"},
    {"instantids", "instantid"},
    {"ultralytic", "ultralytics"},
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
        if (other == wanted) return std::string{folder};
    for (const std::string& folder : folders_of_comfyui())
        if (letters(folder) == wanted) return folder;
    for (const std::string_view folder : folders_of_packs)
        if (letters(folder) == wanted) return std::string{folder};
    const auto near = nearest(name, folders_of_comfyui());
    if (!near || near->size() + 1 < name.size() || near->size() > name.size() + 1)
        return std::nullopt;
    return near;
}

}  // namespace podctl::tmpl

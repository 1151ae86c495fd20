#include "provider.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/overloaded.hpp"
#include "podctl/hub/source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

namespace podctl::comfy {
namespace {

// Names of one pack differ in case and in their dashes: ComfyUI-Impact-Pack, comfyui_impact_pack.
std::string pack_key(std::string_view name) {
    auto key = to_lower(name);
    std::ranges::replace(key, '_', '-');
    if (key.ends_with(".git")) key.resize(key.size() - 4);
    return key;
}

bool is_from(const tmpl::CustomNode& pack, const PlannedNode& node) {
    const auto repository = pack_key(repository_name(node.repository));
    const bool by_source = std::visit(
        overloaded{[&](const tmpl::GitNode& git) {
                       return !repository.empty() && pack_key(git.git).ends_with("/" + repository);
                   },
                   [&](const tmpl::RegistryNode& registry) {
                       return pack_key(registry.id) == pack_key(node.registry_id);
                   },
                   [](const tmpl::PathNode&) { return false; }},
        pack.source);
    const auto name = pack_key(pack.name);
    return by_source || (!node.registry_id.empty() && name == pack_key(node.registry_id)) ||
           (!repository.empty() && repository.ends_with("/" + name));
}

std::string failed_imports(const std::map<std::string, std::string>& failed) {
    std::string text;
    for (const auto& [name, reason] : failed)
        text += fmt::format("{}{} could not be imported{}{}", text.empty() ? "" : "; ", name,
                            reason.empty() ? "" : ": ", reason);
    return text;
}

std::string pack_of_template(const tmpl::Template& pod, std::size_t index,
                             const std::map<std::string, std::string>& failed) {
    const auto& name = pod.custom_nodes[index].name;
    std::string text =
        fmt::format("custom_nodes[{}] of the template ({}) provides it", index, name);
    const auto import = failed.find(name);
    if (import == failed.end()) return text + ": `podctl up` brings it, ComfyUI's log tells more";
    return text + ", and could not be imported" +
           (import->second.empty() ? "" : ": " + import->second);
}

std::string pack_of_workflow(const PlannedNode& node) {
    if (node.registry_id == "comfy-core")
        return "it is ComfyUI's own, of another version than this one: see comfyui.ref";
    if (!node.registry_id.empty())
        return fmt::format("add it to the template's custom_nodes: {{registry: {}}}",
                           node.registry_id);
    const auto repository = repository_name(node.repository);
    if (repository.find('/') != repository.npos)
        return fmt::format("add it to the template's custom_nodes: https://github.com/{}",
                           repository);
    if (!repository.empty())
        return fmt::format(
            "add the repository of {} to the template's custom_nodes; "
            "https://registry.comfy.org finds it",
            repository);
    return "add its pack to the template's custom_nodes; https://registry.comfy.org finds the "
           "pack of a node";
}

struct KnownInput {
    std::string_view input, class_type, folder;  // no class: any
};

// Of ComfyUI's nodes.py and comfy_extras, and of the packs that many pods have.
constexpr std::array<KnownInput, 20> known_inputs = {{
    {"clip_name", "CLIPVisionLoader", "clip_vision"},
    {"model_name", "UpscaleModelLoader", "upscale_models"},
    {"model_path", "DiffusersLoader", "diffusers"},
    {"name", "ModelPatchLoader", "model_patches"},
    {"ckpt_name", "", "checkpoints"},
    {"lora_name", "", "loras"},
    {"vae_name", "", "vae"},
    {"unet_name", "", "diffusion_models"},
    {"clip_name", "", "text_encoders"},
    {"clip_name1", "", "text_encoders"},
    {"clip_name2", "", "text_encoders"},
    {"clip_name3", "", "text_encoders"},
    {"clip_name4", "", "text_encoders"},
    {"control_net_name", "", "controlnet"},
    {"style_model_name", "", "style_models"},
    {"gligen_name", "", "gligen"},
    {"hypernetwork_name", "", "hypernetworks"},
    {"photomaker_model_name", "", "photomaker"},
    {"audio_encoder_name", "", "audio_encoders"},
    {"instantid_file", "", "instantid"},
}};

std::string file_name(const std::string& path) {
    return std::filesystem::path(path.substr(path.find_last_of('\\') + 1)).filename().string();
}

// What the file will be called, as far as the template says.
std::string name_in_template(const tmpl::Model& model) {
    if (!model.name.empty()) return model.name;
    return std::visit(
        overloaded{[](const hub::CivitaiSource&) { return std::string(); },
                   [](const hub::HuggingFaceSource& it) { return file_name(it.path); },
                   [](const hub::UrlSource& it) {
                       const auto url = parse_url(it.url);
                       return url ? url->file_name() : std::string();
                   }},
        hub::parse_source(model.source).location);
}

std::optional<std::size_t> model_of_template(const std::string& file, const tmpl::Template& pod) {
    for (std::size_t i = 0; i < pod.models.size(); ++i)
        if (to_lower(name_in_template(pod.models[i])) == to_lower(file_name(file))) return i;
    return std::nullopt;
}

std::string and_choices(std::string text, const MissingModel& model) {
    constexpr std::size_t most = 5;
    if (const auto near = nearest(model.file, model.choices))
        return text + fmt::format("; did you mean {}?", *near);
    if (model.choices.empty() || model.choices.size() > most) return text;
    return text + fmt::format("; there are: {}", fmt::join(model.choices, ", "));
}

}  // namespace

std::string repository_name(std::string_view aux_id) {
    auto name = trim(aux_id);
    if (const auto scheme = name.find("://"); scheme != name.npos) {
        name.remove_prefix(scheme + 3);
        name.remove_prefix(std::min(name.find('/'), name.size()));
    }
    while (name.starts_with('/'))
        name.remove_prefix(1);
    while (name.ends_with('/'))
        name.remove_suffix(1);
    if (name.ends_with(".git")) name.remove_suffix(4);
    // What stands behind user/repo is a place within it.
    const auto first = name.find('/');
    const auto second = first == name.npos ? first : name.find('/', first + 1);
    return std::string(name.substr(0, second));
}

std::string remedy_for_class(const PlannedNode& node, const tmpl::Template* pod,
                             const std::map<std::string, std::string>& failed) {
    for (std::size_t i = 0; pod && i < pod->custom_nodes.size(); ++i)
        if (is_from(pod->custom_nodes[i], node)) return pack_of_template(*pod, i, failed);
    const auto imports = failed_imports(failed);
    return pack_of_workflow(node) + (imports.empty() ? "" : "; " + imports);
}

std::optional<std::string> known_folder(const MissingModel& model) {
    for (const auto& known : known_inputs)
        if (known.input == model.input &&
            (known.class_type.empty() || known.class_type == model.class_type))
            return std::string(known.folder);
    return std::nullopt;
}

// The folder with the most files, all of which the input offers.
std::optional<std::string> folder_by_files(const MissingModel& model, const ModelFiles& files) {
    const std::set<std::string> offered(model.choices.begin(), model.choices.end());
    std::optional<std::string> best;
    std::size_t most = 0;
    for (const auto& [folder, names] : files) {
        const bool all = std::ranges::all_of(
            names, [&](const std::string& name) { return offered.contains(name); });
        if (!all || names.size() <= most) continue;
        most = names.size();
        best = folder;
    }
    return best;
}

bool is_model_name(std::string_view name) {
    const auto lower = to_lower(name);
    return is_pickle_name(lower) || lower.ends_with(".safetensors") || lower.ends_with(".sft") ||
           lower.ends_with(".gguf") || lower.ends_with(".onnx");
}

std::string remedy_for_model(const MissingModel& model, const std::optional<std::string>& folder,
                             const std::vector<ModelOrigin>& origins, const tmpl::Template* pod) {
    if (pod)
        if (const auto index = model_of_template(model.file, *pod))
            return fmt::format("models[{}] of the template provides it: `podctl up` brings it",
                               *index);
    const auto origin = std::ranges::find(origins, file_name(model.file), &ModelOrigin::name);
    if (origin != origins.end() && !origin->url.empty())
        return fmt::format(
            "add it to the template's models: {{source: \"{}\", to: {}}}", origin->url,
            origin->directory.empty() ? folder.value_or("checkpoints") : origin->directory);
    if (!folder) return and_choices("it belongs into a folder under models/", model);
    return and_choices(
        fmt::format("it belongs into models/{}; in the template: models: {{source: …, to: {}}}",
                    *folder, *folder),
        model);
}

}  // namespace podctl::comfy

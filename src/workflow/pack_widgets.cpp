#include "pack_widgets.hpp"

#include <fmt/format.h>

// From ComfyUI_frontend 1.27.10 (previewAny.ts and uploadAudio.ts of src/extensions/core),
// rgthree-comfy (web/comfyui/display_any.js, power_lora_loader.js), ComfyUI-Impact-Pack
// (js/impact-image-util.js) and ComfyUI-Inspire-Pack (js/a1111-compat.js).
namespace podctl::workflow {
namespace {

void add(PageNode& node, const std::string& name, json value, bool in_workflow = true) {
    node.widgets.push_back(std::make_shared<Widget>(
        Widget{.name = name, .value = std::move(value), .in_workflow = in_workflow}));
}

bool is_power_lora_loader(const PageNode& node) {
    return node.type == "Power Lora Loader (rgthree)";
}

bool is_preview_bridge(const PageNode& node) {
    return node.type == "PreviewBridge" || node.type == "PreviewBridgeLatent";
}

}  // namespace

void add_script_widgets(PageNode& node, bool is_recent) {
    if (node.type == "PreviewAny" && !is_recent) add(node, "preview", "", false);
    // A player of sound was kept out of the saved values already, but not yet out of the prompt.
    if (auto* player = node.widget("audioUI"); player && !is_recent) player->in_prompt = true;
    if (node.type == "Display Any (rgthree)" || node.type == "Display Int (rgthree)")
        add(node, "output", "", false);
    if (node.type == "SeedExplorer //Inspire" || node.type == "RegionalSeedExplorerMask //Inspire")
        add(node, "Add to prompt", nullptr);
    if (is_power_lora_loader(node)) {
        add(node, "PowerLoraLoaderHeaderWidget", {{"type", "PowerLoraLoaderHeaderWidget"}}, false);
        add(node, "➕ Add Lora", "", false);
    }
}

void restore_script_widgets(PageNode& node, const json& saved) {
    // Its pictures are those of a run of this page, so an older name of one is none.
    if (is_preview_bridge(node))
        if (auto* image = node.widget("image")) image->value = fmt::format("${}-0", node.id);
    if (!is_power_lora_loader(node) || !saved.is_array()) return;
    std::size_t count = 0;
    for (const auto& value : saved) {
        if (!member(value, "lora")) continue;
        json lora = value;
        // Only loaders of two strengths have the second.
        if (const auto* second = member(lora, "strengthTwo"); second && second->is_null())
            lora.erase("strengthTwo");
        add(node, fmt::format("lora_{}", ++count), std::move(lora), false);
    }
}

}  // namespace podctl::workflow

#include "video_helper.hpp"

#include "widget_types.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <vector>

// From ComfyUI-VideoHelperSuite: web/js/VHS.core.js, useKVState() and addFormatWidgets().
namespace podctl::workflow {
namespace {

// The names of the values in workflows that are older than the names; empty: a button's place.
const std::vector<std::string>* names_of_list(const std::string& type) {
    static const std::map<std::string, std::vector<std::string>> names = {
        {"VHS_LoadImages",
         {"directory", "", "image_load_cap", "skip_first_images", "select_every_nth"}},
        {"VHS_LoadImagesPath",
         {"directory", "image_load_cap", "skip_first_images", "select_every_nth"}},
        {"VHS_VideoCombine",
         {"frame_rate", "loop_count", "filename_prefix", "format", "pingpong", "save_image"}},
        {"VHS_LoadVideo",
         {"video", "force_rate", "force_size", "frame_load_cap", "skip_first_frames",
          "select_every_nth"}},
        {"VHS_LoadVideoPath",
         {"video", "force_rate", "force_size", "frame_load_cap", "skip_first_frames",
          "select_every_nth"}},
    };
    const auto found = names.find(type);
    return found == names.end() ? nullptr : &found->second;
}

std::optional<json> named(const PageNode& node, const json& saved) {
    if (saved.is_object()) return saved;
    const auto* names = names_of_list(node.type);
    if (!saved.is_array() || !names || saved.size() < names->size()) return std::nullopt;
    json values = json::object();
    for (std::size_t i = 0; i < names->size(); ++i)
        if (!(*names)[i].empty()) values[(*names)[i]] = saved[i];
    return values;
}

json side_of(std::string_view text) {
    int side = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
    return error == std::errc{} && end != text.data() ? side : 0;
}

// "512x?" and "Disabled" became two numbers.
void split_size(json& values) {
    const auto size = text_at(values, "force_size");
    if (const auto by = size.find('x'); by != std::string::npos) {
        values["custom_width"] = side_of(std::string_view(size).substr(0, by));
        values["custom_height"] = side_of(std::string_view(size).substr(by + 1));
        return;
    }
    if (size == "Disabled" || size == "Custom Height") values["custom_width"] = 0;
    if (size == "Disabled" || size == "Custom Width") values["custom_height"] = 0;
}

// The widgets that a format brings, behind it.
void make_format(PageNode& node, const Widget& format, std::size_t index) {
    const auto branch =
        std::ranges::find(format.spec->branches,
                          format.value.is_string() ? plain_text(format.value) : "", &Branch::key);
    if (branch == format.spec->branches.end()) return;
    const auto before = static_cast<std::ptrdiff_t>(node.widgets.size());
    for (const auto& spec : branch->inputs) {
        if (!is_plain_widget(spec)) continue;
        add_widget(node, spec.name, spec);
        if (!node.input(spec.name))
            node.inputs.push_back({.name = spec.name, .type = spec.type, .widget = spec.name});
    }
    std::rotate(node.widgets.begin() + static_cast<std::ptrdiff_t>(index) + 1,
                node.widgets.begin() + before, node.widgets.end());
}

}  // namespace

bool is_video_helper(const PageNode& node) {
    return node.type.starts_with("VHS_");
}

void restore_by_name(PageNode& node, const json& saved) {
    auto values = named(node, saved);
    if (!values) return;
    split_size(*values);
    for (std::size_t i = 0; i < node.widgets.size(); ++i) {
        const auto widget = node.widgets[i];
        if (!widget->in_prompt) continue;
        const auto* value = member(*values, widget->name);
        if (!value && widget->name == "save_output") value = member(*values, "save_image");
        if (!value && widget->spec) value = widget->spec->option("default");
        if (value) set_value(*widget, *value);
        if (widget->spec && widget->spec->type == "COMBO" && !widget->spec->branches.empty())
            make_format(node, *widget, i);
    }
}

}  // namespace podctl::workflow

#include "widget_types.hpp"

#include <algorithm>
#include <array>
#include <map>

// From ComfyUI_frontend: src/scripts/widgets.ts, the composables under
// src/renderer/extensions/vueNodes/widgets, and src/extensions/core.
namespace podctl::workflow {
namespace {

using Maker = Widget* (*)(PageNode&, const std::string&, const InputSpec&);

Widget* push(PageNode& node, Widget widget) {
    node.widgets.push_back(std::make_shared<Widget>(std::move(widget)));
    return node.widgets.back().get();
}

json default_or(const InputSpec& spec, json otherwise) {
    const auto* given = spec.option("default");
    if (given) return *given;
    return otherwise;
}

// An option within "options", where some types keep theirs.
json inner_option(const InputSpec& spec, const char* name, json otherwise) {
    const auto* given = member(object_at(spec.options, "options"), name);
    if (given && !given->is_null()) return *given;
    return otherwise;
}

// "control_after_generate", and behind a choice a filter of its list: not in the prompt, but in the
// saved list of values.
void add_control(PageNode& node, const Widget& controlled) {
    push(node, {.name = control_name,
                .kind = Widget::Kind::combo,
                .value = "randomize",
                .in_prompt = false});
    if (controlled.kind == Widget::Kind::combo)
        push(node, {.name = "control_filter_list", .value = "", .in_prompt = false});
}

Widget* make_int(PageNode& node, const std::string& name, const InputSpec& spec) {
    auto* widget = push(
        node,
        {.name = name, .kind = Widget::Kind::number, .value = default_or(spec, 0), .spec = &spec});
    if (is_controlled(spec, name)) add_control(node, *widget);
    return widget;
}

Widget* make_float(PageNode& node, const std::string& name, const InputSpec& spec) {
    auto* widget = push(
        node,
        {.name = name, .kind = Widget::Kind::number, .value = default_or(spec, 0), .spec = &spec});
    if (spec.is_set("control_after_generate")) add_control(node, *widget);
    return widget;
}

Widget* make_boolean(PageNode& node, const std::string& name, const InputSpec& spec) {
    return push(node, {.name = name, .value = default_or(spec, false), .spec = &spec});
}

Widget* make_string(PageNode& node, const std::string& name, const InputSpec& spec) {
    const auto* dynamic = spec.option("dynamicPrompts");
    return push(node,
                {.name = name,
                 .kind = spec.is_set("multiline") ? Widget::Kind::text_area : Widget::Kind::plain,
                 .value = default_or(spec, ""),
                 .spec = &spec,
                 .has_dynamic_prompt = dynamic && *dynamic == true});
}

Widget* make_markdown(PageNode& node, const std::string& name, const InputSpec& spec) {
    return push(node, {.name = name,
                       .kind = Widget::Kind::markdown,
                       .value = default_or(spec, ""),
                       .spec = &spec});
}

json first_choice(const InputSpec& spec) {
    if (const auto* given = spec.option("default"); given && is_truthy(*given)) return *given;
    if (!spec.choices.empty()) return spec.choices.front();
    if (spec.is_set("remote")) return "Loading...";
    return undefined();
}

Widget* make_combo(PageNode& node, const std::string& name, const InputSpec& spec) {
    if (spec.is_set("multi_select")) {
        auto* chosen = push(node, {.name = name, .value = json::array(), .spec = &spec});
        if (spec.is_set("control_after_generate")) add_control(node, *chosen);
        return chosen;
    }
    auto* widget = push(
        node,
        {.name = name, .kind = Widget::Kind::combo, .value = first_choice(spec), .spec = &spec});
    if (const auto* remote = spec.option("remote"); remote && is_truthy(*remote)) {
        push(node, {.name = "Auto-refresh after generation", .value = false, .in_prompt = false});
        if (const auto* button = member(*remote, "refresh_button"); button && is_truthy(*button))
            push(node, {.name = "refresh", .value = "refresh"});
    }
    if (spec.is_set("control_after_generate")) add_control(node, *widget);
    return widget;
}

Widget* make_dynamic_combo(PageNode& node, const std::string& name, const InputSpec& spec) {
    return push(node,
                {.name = name,
                 .kind = Widget::Kind::dynamic_combo,
                 .value = spec.branches.empty() ? undefined() : json(spec.branches.front().key),
                 .spec = &spec});
}

Widget* make_color(PageNode& node, const std::string& name, const InputSpec& spec) {
    for (const auto& existing : node.widgets)
        if (existing->name == name) return existing.get();
    return push(node, {.name = name,
                       .value = default_or(spec, inner_option(spec, "default", "#000000")),
                       .spec = &spec});
}

Widget* make_image_compare(PageNode& node, const std::string& name, const InputSpec& spec) {
    return push(node, {.name = name, .value = {"", ""}, .spec = &spec, .in_workflow = false});
}

Widget* make_bounding_box(PageNode& node, const std::string& name, const InputSpec& spec) {
    const json box = default_or(spec, {{"x", 0}, {"y", 0}, {"width", 512}, {"height", 512}});
    auto* widget = push(node, {.name = name, .value = box, .spec = &spec});
    for (const char* field : {"x", "y", "width", "height"}) {
        const auto* value = member(box, field);
        push(node, {.name = field, .value = value ? *value : undefined(), .in_prompt = false});
    }
    return widget;
}

Widget* make_curve(PageNode& node, const std::string& name, const InputSpec& spec) {
    const json line = {{"points", {{0, 0}, {1, 1}}}, {"interpolation", "monotone_cubic"}};
    return push(node,
                {.name = name, .value = default_or(spec, line), .spec = &spec, .is_curve = true});
}

Widget* make_range(PageNode& node, const std::string& name, const InputSpec& spec) {
    return push(
        node,
        {.name = name, .value = default_or(spec, {{"min", 0.0}, {"max", 1.0}}), .spec = &spec});
}

Widget* make_video_edit(PageNode& node, const std::string& name, const InputSpec& spec) {
    json features = list_at(spec.options, "features");
    if (!spec.option("features")) features = {"trim", "crop"};
    json edit = json::object();
    if (std::ranges::find(features, json("trim")) != features.end())
        edit["trim"] = {{"start_time", 0}, {"duration", 0}};
    if (std::ranges::find(features, json("crop")) != features.end())
        edit["crop"] = {{"x", 0}, {"y", 0}, {"width", 0}, {"height", 0}};
    return push(node, {.name = name, .value = default_or(spec, edit), .spec = &spec});
}

Widget* make_list(PageNode& node, const std::string& name, const InputSpec& spec) {
    return push(node, {.name = name, .value = default_or(spec, json::array()), .spec = &spec});
}

Widget* make_chart(PageNode& node, const std::string& name, const InputSpec& spec) {
    return push(node,
                {.name = name, .value = inner_option(spec, "data", json::object()), .spec = &spec});
}

Widget* make_gallery(PageNode& node, const std::string& name, const InputSpec& spec) {
    return push(
        node, {.name = name, .value = inner_option(spec, "images", json::array()), .spec = &spec});
}

Widget* make_compositor(PageNode& node, const std::string& name, const InputSpec& spec) {
    const auto* given = spec.option("default");
    return push(node, {.name = name,
                       .value = given && given->is_object() ? *given : json::object(),
                       .spec = &spec});
}

Widget* make_painter(PageNode& node, const std::string& name, const InputSpec& spec) {
    return push(node, {.name = name, .value = default_or(spec, ""), .spec = &spec});
}

Widget* make_plain_text(PageNode& node, const std::string& name, const InputSpec& spec) {
    return push(node, {.name = name, .value = inner_option(spec, "default", ""), .spec = &spec});
}

Widget* make_upload_button(PageNode& node, const std::string& name, const InputSpec& spec) {
    return push(
        node,
        {.name = name, .value = spec.type == "AUDIOUPLOAD" ? "" : "image", .in_prompt = false});
}

Widget* make_player(PageNode& node, const std::string& name, const InputSpec&) {
    return push(node, {.name = name,
                       .kind = Widget::Kind::window,
                       .value = "",
                       .in_workflow = false,
                       .in_prompt = false});
}

Widget* make_recorder(PageNode& node, const std::string& name, const InputSpec& spec) {
    auto* player = push(node, {.name = name,
                               .kind = Widget::Kind::window,
                               .value = "",
                               .spec = &spec,
                               .page_reason = "it is recorded in the page"});
    push(node, {.name = name, .value = "", .in_prompt = false});
    return player;
}

Widget* make_webcam(PageNode& node, const std::string& name, const InputSpec& spec) {
    return push(node, {.name = name,
                       .kind = Widget::Kind::window,
                       .value = "",
                       .spec = &spec,
                       .page_reason = "it is a picture of the page's camera"});
}

Widget* make_scene(PageNode& node, const std::string&, const InputSpec& spec) {
    static constexpr std::array<std::string_view, 6> with_state = {
        "Preview3DAdvanced", "Save3DAdvanced",    "PreviewGaussianSplat",
        "PreviewPointCloud", "SaveGaussianSplat", "SavePointCloud"};
    if (node.widget("model_file")) {
        push(node, {.name = "upload 3d model", .value = "upload3dmodel"});
        push(node, {.name = "upload extra resources", .value = "uploadExtraResources"});
        push(node, {.name = "clear", .value = "clear"});
    }
    const bool has_state = std::ranges::find(with_state, node.type) != with_state.end();
    return push(node, {.name = has_state ? "viewport_state" : "image",
                       .kind = Widget::Kind::window,
                       .value = "",
                       .spec = &spec,
                       .page_reason = "it is drawn by the page, of a scene in three dimensions"});
}

Widget* make_advanced_scene(PageNode& node, const std::string&, const InputSpec& spec) {
    return push(node, {.name = "viewport_state",
                       .kind = Widget::Kind::window,
                       .value = "",
                       .spec = &spec,
                       .page_reason = "it is drawn by the page, of a scene in three dimensions"});
}

Widget* make_preview(PageNode& node, const std::string&, const InputSpec& spec) {
    return push(node, {.name = "image", .kind = Widget::Kind::window, .value = "", .spec = &spec});
}

struct Type {
    Maker make;
    bool is_old;  // the page of 2025 had it, too
};

const std::map<std::string_view, Type>& types() {
    static const std::map<std::string_view, Type> all = {
        {"INT", {make_int, true}},
        {"FLOAT", {make_float, true}},
        {"BOOLEAN", {make_boolean, true}},
        {"STRING", {make_string, true}},
        {"MARKDOWN", {make_markdown, true}},
        {"COMBO", {make_combo, true}},
        {"IMAGEUPLOAD", {make_upload_button, true}},
        {"COLOR", {make_color, true}},
        {"IMAGECOMPARE", {make_image_compare, true}},
        {"CHART", {make_chart, true}},
        {"GALLERIA", {make_gallery, true}},
        {"TEXTAREA", {make_plain_text, true}},
        {"BOUNDING_BOX", {make_bounding_box, false}},
        {"BOUNDING_BOXES", {make_list, false}},
        {"COLORS", {make_list, false}},
        {"CURVE", {make_curve, false}},
        {"RANGE", {make_range, false}},
        {"PAINTER", {make_painter, false}},
        {"COMPOSITOR", {make_compositor, false}},
        {"VIDEO_EDIT", {make_video_edit, false}},
        {"COMFY_DYNAMICCOMBO_V3", {make_dynamic_combo, false}},
        {"AUDIO_UI", {make_player, true}},
        {"AUDIOUPLOAD", {make_upload_button, true}},
        {"AUDIO_RECORD", {make_recorder, true}},
        {"WEBCAM", {make_webcam, true}},
        {"LOAD_3D", {make_scene, true}},
        {"LOAD_3D_ANIMATION", {make_scene, true}},
        {"LOAD_3D_ADVANCED", {make_advanced_scene, false}},
        {"PREVIEW_3D", {make_preview, true}},
        {"PREVIEW_3D_ANIMATION", {make_preview, true}},
    };
    return all;
}

// The type that "widgetType" names, as far as the page knows it: a pack that names another brings
// it along.
std::string_view type_of(const InputSpec& spec) {
    const auto* given = spec.option("widgetType");
    if (!given || !given->is_string()) return spec.type;
    const auto& name = given->get_ref<const std::string&>();
    return types().contains(name) ? std::string_view(name) : std::string_view(spec.type);
}

bool names_a_file(std::string_view class_name) {
    static constexpr std::array<std::string_view, 21> savers = {
        "SaveImage",         "SaveImageAdvanced", "SaveSVGNode",     "SaveVideo",
        "SaveAnimatedWEBP",  "SaveWEBM",          "SaveAudio",       "SaveAudioMP3",
        "SaveAudioOpus",     "SaveAudioAdvanced", "SaveGLB",         "Save3DAdvanced",
        "SaveGaussianSplat", "SavePointCloud",    "SaveAnimatedPNG", "CLIPSave",
        "VAESave",           "ModelSave",         "LoraSave",        "SaveLatent",
        "VHS_VideoCombine"};
    return std::ranges::find(savers, class_name) != savers.end();
}

}  // namespace

bool is_widget(const InputSpec& spec, const ClassTable& table) {
    if (spec.is_set("forceInput")) return false;
    const auto found = types().find(type_of(spec));
    return found != types().end() && (found->second.is_old || table.is_recent);
}

bool is_plain_widget(const InputSpec& spec) {
    const auto found = types().find(type_of(spec));
    return found != types().end() && found->second.is_old;
}

Widget* add_widget(PageNode& node, const std::string& name, const InputSpec& spec) {
    return types().at(type_of(spec)).make(node, name, spec);
}

void add_class_widgets(PageNode& node) {
    if (names_a_file(node.type))
        if (auto* prefix = node.widget("filename_prefix")) prefix->has_replacements = true;
    if (node.type == "CustomCombo" && !node.widgets.empty()) {
        push(node, {.name = "index", .kind = Widget::Kind::option_index});
        push(node, {.name = "option1", .kind = Widget::Kind::option, .value = ""});
    }
    if (node.type == "VHS_BatchManager") push(node, {.name = "count", .value = 0});
    if (node.type == "WebcamCapture")
        push(node, {.name = "waiting for camera...", .value = "capture", .in_prompt = false});
}

void set_value(Widget& widget, json value) {
    if (widget.kind == Widget::Kind::window || widget.kind == Widget::Kind::option_index) return;
    widget.value = std::move(value);
}

json value_of(const PageNode& node, const Widget& widget) {
    const auto& value = widget.value;
    switch (widget.kind) {
        case Widget::Kind::text_area:
            return value.is_null() ? json("") : value;
        case Widget::Kind::combo:
            // The page saves a choice among nothing as null.
            return value.is_null() && widget.spec && widget.spec->choices.empty() ? undefined()
                                                                                  : value;
        case Widget::Kind::markdown:
            if (value.is_string()) return value;
            return value.is_null() ? json("") : json(plain_text(value));
        case Widget::Kind::option_index: {
            // Of all widgets behind the choice and this one.
            for (std::size_t i = 2; i < node.widgets.size(); ++i)
                if (node.widgets[i]->value == node.widgets[0]->value) return i - 2;
            return -1;
        }
        default:
            return value;
    }
}

}  // namespace podctl::workflow

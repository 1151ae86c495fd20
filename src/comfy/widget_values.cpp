#include "widget_values.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace podctl::comfy {
namespace {

bool is_set(const json& options, std::string_view key) {
    const auto* value = member(options, key);
    if (!value || value->is_null()) return false;
    return !value->is_boolean() || value->get<bool>();
}

bool is_widget(const InputSpec& input, const UiNode& node) {
    static constexpr std::array<std::string_view, 5> widget_types = {"INT", "FLOAT", "STRING",
                                                                     "BOOLEAN", "COMBO"};
    if (is_set(input.options, "forceInput")) return false;
    if (is_set(input.options, "widgetType")) return true;
    if (std::ranges::find(widget_types, input.type) != widget_types.end()) return true;
    // A type with a widget of a pack's own: only the workflow tells.
    const auto slot = std::ranges::find(node.inputs, input.name, &UiSlot::name);
    return slot != node.inputs.end() && slot->is_widget;
}

// In old workflows it is whether a random number comes next.
bool is_control_word(const json& value) {
    static constexpr std::array<std::string_view, 5> words = {"fixed", "increment", "decrement",
                                                              "randomize", "increment-wrap"};
    if (value.is_boolean()) return true;
    return value.is_string() && std::ranges::find(words, value.get<std::string>()) != words.end();
}

// What the page puts behind the widget: "control_after_generate", which a seed has without saying,
// and for a choice a filter of its list, too.
bool has_control(const InputSpec& input) {
    if (is_set(input.options, "control_after_generate")) return true;
    return input.type == "INT" && (input.name == "seed" || input.name == "noise_seed");
}

bool has_upload_button(const InputSpec& input) {
    static constexpr std::array<const char*, 4> flags = {"image_upload", "animated_image_upload",
                                                         "video_upload", "audio_upload"};
    return std::ranges::any_of(flags,
                               [&](const char* flag) { return is_set(input.options, flag); });
}

json default_of(const InputSpec& input) {
    if (const auto* given = member(input.options, "default")) return *given;
    return input.choices.empty() ? json() : input.choices.front();
}

// The saved list, read from its front.
class SavedValues {
public:
    // What is no list holds nothing.
    explicit SavedValues(const json& list) : list_(list.is_array() ? list : none()) {}

    json take(const InputSpec& input) {
        if (next_ >= list_.size()) return default_of(input);
        json value = list_[next_++];
        if (has_control(input) && next_ < list_.size() && is_control_word(list_[next_])) {
            ++next_;
            if (input.type == "COMBO" && next_ < list_.size() && list_[next_].is_string()) ++next_;
        }
        return value;
    }
    // A button, and for a sound its player, which the page puts behind the required inputs.
    void skip_buttons() {
        constexpr int most = 2;
        for (int i = 0; i < most && next_ < list_.size() && is_button(list_[next_]); ++i)
            ++next_;
    }

private:
    static const json& none() {
        static const json list = json::array();
        return list;
    }
    static bool is_button(const json& value) {
        return value.is_null() || value == "" || value == "image" || value == "video" ||
               value == "audio";
    }

    const json& list_;
    std::size_t next_ = 0;
};

json from_list(const UiNode& node, const NodeClass& known) {
    std::vector<const InputSpec*> widgets;
    for (const auto& input : known.inputs)
        if (is_widget(input, node)) widgets.push_back(&input);
    const auto optional = std::ranges::find(widgets, InputSpec::Group::optional, &InputSpec::group);
    const bool has_buttons = std::ranges::any_of(known.inputs, has_upload_button);
    SavedValues saved{node.widgets_values()};
    json values = json::object();
    for (auto it = widgets.begin(); it != widgets.end(); ++it) {
        if (it == optional && has_buttons) saved.skip_buttons();
        json value = saved.take(**it);
        if (!value.is_null()) values[(*it)->name] = as_input(value);
    }
    return values;
}

// Packs whose widgets change by themselves save them by name, with more than the class declares
// (VideoHelperSuite's formats); what is no plain value is of the page alone.
json from_object(const json& saved) {
    json values = json::object();
    for (const auto& [name, value] : saved.items())
        if (!value.is_object() && !value.is_null()) values[name] = as_input(value);
    return values;
}

}  // namespace

json as_input(const json& value) {
    return value.is_array() ? json{{"__value__", value}} : value;
}

json widget_values(const UiNode& node, const NodeClass& known) {
    const auto& saved = node.widgets_values();
    if (saved.is_object()) return from_object(saved);
    return from_list(node, known);
}

}  // namespace podctl::comfy

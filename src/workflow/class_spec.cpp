#include "class_spec.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace podctl::workflow {
namespace {

// Keeps the order in which a class declares its inputs.
using nlohmann::ordered_json;

// Hundreds of packs have some ten thousand classes; one choice may be all the files of a folder.
constexpr JsonLimits object_info_limits{
    .bytes = 256u << 20, .values = 4'000'000, .members = 100'000};

const ordered_json* ordered_member(const ordered_json& object, std::string_view key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
}

std::string ordered_text(const ordered_json& object, std::string_view key) {
    const auto* value = ordered_member(object, key);
    return value && value->is_string() ? value->get<std::string>() : std::string();
}

InputSpec read_input(const std::string& name, const ordered_json& spec);

std::vector<InputSpec> read_groups(const ordered_json* groups) {
    std::vector<InputSpec> read;
    for (const char* group : {"required", "optional"}) {
        const auto* inputs = groups ? ordered_member(*groups, group) : nullptr;
        if (!inputs || !inputs->is_object()) continue;
        for (const auto& [name, spec] : inputs->items())
            read.push_back(read_input(name, spec));
    }
    return read;
}

std::vector<Branch> read_branches(const ordered_json& options) {
    std::vector<Branch> branches;
    const auto* list = ordered_member(options, "options");
    if (!list || !list->is_array()) return branches;
    for (const auto& option : *list)
        branches.push_back({.key = ordered_text(option, "key"),
                            .inputs = read_groups(ordered_member(option, "inputs"))});
    return branches;
}

// VideoHelperSuite's formats: of each a list of [name, type, options].
std::vector<Branch> read_formats(const ordered_json& options) {
    std::vector<Branch> branches;
    const auto* formats = ordered_member(options, "formats");
    if (!formats || !formats->is_object()) return branches;
    for (const auto& [name, inputs] : formats->items()) {
        if (!inputs.is_array()) continue;
        Branch branch{.key = name, .inputs = {}};
        for (const auto& input : inputs) {
            if (!input.is_array() || input.size() < 2 || !input[0].is_string()) continue;
            auto spec = ordered_json::array();
            spec.push_back(input[1]);
            if (input.size() > 2) spec.push_back(input[2]);
            branch.inputs.push_back(read_input(input[0], spec));
        }
        branches.push_back(std::move(branch));
    }
    return branches;
}

std::shared_ptr<const Autogrow> read_autogrow(const ordered_json& options) {
    const auto* group = ordered_member(options, "template");
    auto read = std::make_shared<Autogrow>();
    if (!group) return read;
    read->inputs = read_groups(ordered_member(*group, "input"));
    read->prefix = ordered_text(*group, "prefix");
    const json plain(*group);
    for (const auto& name : list_at(plain, "names"))
        read->names.push_back(plain_text(name));
    // The page makes them all, so a pack's slip must not be a million sockets.
    constexpr std::size_t most = 1'000;
    if (const auto* min = member(plain, "min")) read->min = index_of(*min).value_or(1);
    if (const auto* max = member(plain, "max")) read->max = index_of(*max).value_or(100);
    if (!read->names.empty()) read->max = read->names.size();
    read->max = std::min(read->max, most);
    return read;
}

InputSpec read_input(const std::string& name, const ordered_json& spec) {
    InputSpec input{.name = name, .type = "UNKNOWN"};
    if (!spec.is_array() || spec.empty()) return input;
    static const ordered_json none = ordered_json::object();
    const auto& options = spec.size() > 1 && spec[1].is_object() ? spec[1] : none;
    if (spec[0].is_string()) input.type = spec[0];
    if (spec[0].is_array()) {
        input.type = "COMBO";
        input.choices = json(spec[0]).get<std::vector<json>>();
    }
    if (input.type == "COMFY_DYNAMICCOMBO_V3")
        input.branches = read_branches(options);
    else
        input.options = json(options);
    if (input.type == "COMBO") input.branches = read_formats(options);
    if (input.type == "COMFY_AUTOGROW_V3") input.autogrow = read_autogrow(options);
    // It takes the type of what it is linked to, among these.
    if (input.type == "COMFY_MATCHTYPE_V3")
        input.type = text_at(object_at(input.options, "template"), "allowed_types");
    if (input.type == "COMBO" && !spec[0].is_array())
        input.choices = list_at(input.options, "options").get<std::vector<json>>();
    return input;
}

bool is_media_upload(const InputSpec& input) {
    static constexpr std::array<const char*, 3> flags = {"image_upload", "animated_image_upload",
                                                         "video_upload"};
    return input.type == "COMBO" &&
           std::ranges::any_of(flags, [&](const char* flag) { return input.is_set(flag); });
}

void set_input(std::vector<InputSpec>& inputs, InputSpec input) {
    const auto found = std::ranges::find(inputs, input.name, &InputSpec::name);
    if (found == inputs.end())
        inputs.push_back(std::move(input));
    else
        *found = std::move(input);
}

// What the page's own extensions add to a class (beforeRegisterNodeDef in src/extensions/core):
// buttons, players and windows on a scene.
void add_page_inputs(const ClassSpec& known, std::vector<InputSpec>& required) {
    static const std::set<std::string_view> players = {"LoadAudio",     "SaveAudio",
                                                       "PreviewAudio",  "SaveAudioMP3",
                                                       "SaveAudioOpus", "SaveAudioAdvanced"};
    const auto upload = std::ranges::find_if(required, is_media_upload);
    const auto audio = std::ranges::find(required, "audio", &InputSpec::name);
    const bool has_audio_upload =
        audio != required.end() && audio->options.value("audio_upload", json()) == true;
    const bool has_upload = upload != required.end();
    if (has_upload) set_input(required, {.name = "upload", .type = "IMAGEUPLOAD"});
    if (players.contains(known.name)) set_input(required, {.name = "audioUI", .type = "AUDIO_UI"});
    if (has_audio_upload) set_input(required, {.name = "upload", .type = "AUDIOUPLOAD"});
    if (known.name == "Preview3D" || known.name == "SaveGLB")
        set_input(required, {.name = "image", .type = "PREVIEW_3D"});
    if (known.name == "Preview3DAnimation")
        set_input(required, {.name = "image", .type = "PREVIEW_3D_ANIMATION"});
    if (known.name == "Load3DAdvanced")
        set_input(required, {.name = "viewport_state", .type = "LOAD_3D_ADVANCED"});
}

// getOrderedInputSpecs(): as input_order says, and what it does not name behind.
std::vector<InputSpec> in_order(std::vector<InputSpec> inputs, const ordered_json* order) {
    if (!order) return inputs;
    std::vector<InputSpec> sorted;
    std::set<std::string> done;
    for (const char* group : {"required", "optional"}) {
        const json names = json(ordered_member(*order, group) ? *ordered_member(*order, group)
                                                              : ordered_json::array());
        if (!names.is_array()) continue;
        for (const auto& name : names) {
            const auto found = std::ranges::find(inputs, plain_text(name), &InputSpec::name);
            if (found != inputs.end() && done.insert(found->name).second) sorted.push_back(*found);
        }
    }
    for (auto& input : inputs)
        if (!done.contains(input.name)) sorted.push_back(std::move(input));
    return sorted;
}

std::vector<std::string> read_output_types(const ordered_json& known) {
    std::vector<std::string> types;
    const auto* outputs = ordered_member(known, "output");
    if (!outputs || !outputs->is_array()) return types;
    for (const auto& type : *outputs) {
        const auto text = type.is_string() ? type.get<std::string>() : "COMBO";
        types.push_back(text == "COMFY_MATCHTYPE_V3" ? "*" : text);
    }
    return types;
}

ClassSpec read_class(const std::string& name, const ordered_json& known) {
    ClassSpec read{.name = name, .display_name = ordered_text(known, "display_name")};
    if (read.display_name.empty()) read.display_name = name;
    read.output_types = read_output_types(known);
    const auto* groups = ordered_member(known, "input");
    std::vector<InputSpec> inputs;
    if (groups && groups->is_object()) {
        ordered_json required = ordered_json::object(), optional = ordered_json::object();
        if (const auto* group = ordered_member(*groups, "required")) required["required"] = *group;
        if (const auto* group = ordered_member(*groups, "optional")) optional["optional"] = *group;
        inputs = read_groups(&required);
        add_page_inputs(read, inputs);
        for (auto& input : read_groups(&optional))
            set_input(inputs, std::move(input));
    }
    read.inputs = in_order(std::move(inputs), ordered_member(known, "input_order"));
    return read;
}

}  // namespace

bool is_truthy(const json& value) {
    if (value.is_null() || value.is_discarded()) return false;
    if (value.is_boolean()) return value.get<bool>();
    if (value.is_number()) return value.get<double>() != 0;
    return !value.is_string() || !value.get_ref<const std::string&>().empty();
}

bool InputSpec::is_set(std::string_view name_of_option) const {
    const auto* value = member(options, name_of_option);
    return value && is_truthy(*value);
}

bool is_controlled(const InputSpec& spec, std::string_view widget) {
    const auto* control = spec.option("control_after_generate");
    if (control || spec.type != "INT") return control && is_truthy(*control);
    return widget == "seed" || widget == "noise_seed";
}

const json* InputSpec::option(std::string_view name_of_option) const {
    const auto* value = member(options, name_of_option);
    return value && !value->is_null() ? value : nullptr;
}

const ClassSpec* ClassTable::find(const std::string& name) const {
    const auto found = classes.find(name);
    return found == classes.end() ? nullptr : &found->second;
}

void read_classes(std::string_view answer, ClassTable& table) {
    const auto parsed = parse_ordered_json(answer, object_info_limits);
    if (!parsed || !parsed->is_object())
        throw Error{ErrorKind::usage,
                    fmt::format("what the server says of its classes is {}",
                                parsed ? "no object" : json_fault(answer, object_info_limits)),
                    "GET /object_info of ComfyUI answers it"};
    for (const auto& [name, known] : parsed->items()) {
        if (!known.is_object()) continue;
        if (known.contains("has_intermediate_output")) table.is_recent = true;
        table.classes.insert_or_assign(name, read_class(name, known));
    }
}

}  // namespace podctl::workflow

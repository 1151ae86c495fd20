#include "faults.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/shorten.hpp"

#include "links.hpp"
#include "provider.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace podctl::comfy {
namespace {

using event::WorkflowFault;

std::string listed(const std::vector<std::string>& names) {
    constexpr std::size_t most = 10;
    return list_first(names, most);
}

// What explains a failure must not take its place: a ComfyUI that does not tell is asked in vain.
template <class Ask>
auto if_it_tells(Ask ask) -> decltype(ask()) {
    try {
        return ask();
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) throw;
        return {};
    }
}

std::vector<std::string> texts(const std::vector<json>& values) {
    std::vector<std::string> out;
    for (const auto& value : values)
        out.push_back(plain_text(value));
    return out;
}

std::optional<std::string> folder_of(const Known& known, const MissingModel& model) {
    if (auto folder = known_folder(model)) return folder;
    if (!is_model_name(model.file)) return std::nullopt;
    return folder_by_files(model, if_it_tells([&] { return ModelFiles{known.client.models()}; }));
}

std::string choices_of(const MissingModel& model) {
    constexpr std::size_t most = 10;
    if (const auto near = nearest(model.file, model.choices))
        return fmt::format("did you mean {}?", *near);
    if (model.choices.empty()) return "it has no choices at all";
    const auto shown = std::min(model.choices.size(), most);
    const auto end = model.choices.begin() + static_cast<std::ptrdiff_t>(shown);
    return fmt::format("it takes: {}{}", fmt::join(model.choices.begin(), end, ", "),
                       shown < model.choices.size() ? ", …" : "");
}

constexpr const char* input_file_hint =
    "it belongs into ComfyUI's folder input/, into which `podctl run --upload FILE` brings it";

bool has_upload(const InputSpec& input) {
    return member(input.options, "image_upload") || member(input.options, "video_upload") ||
           member(input.options, "audio_upload");
}

WorkflowFault missing_choice(const Known& known, const std::string& node,
                             const std::string& class_type, const InputSpec& input,
                             const json& value) {
    const MissingModel model{.file = plain_text(value),
                             .class_type = class_type,
                             .input = input.name,
                             .choices = texts(input.choices)};
    WorkflowFault fault{.node = node, .class_type = class_type, .input = input.name};
    const auto folder = folder_of(known, model);
    if (folder || is_model_name(model.file)) {
        fault.message = fmt::format("the model {} is missing", model.file);
        fault.hint = remedy_for_model(model, folder, known.needs.models, known.pod);
    } else if (has_upload(input)) {
        fault.message = fmt::format("the file {} is missing", model.file);
        fault.hint = input_file_hint;
    } else {
        fault.message = fmt::format("{} is not among its choices", model.file);
        fault.hint = choices_of(model);
    }
    return fault;
}

std::string text_of(const json& error) {
    const auto message = text_at(error, "message"), details = text_at(error, "details");
    if (details.empty()) return message;
    return message.empty() ? details : message + ": " + details;
}

std::string hint_for(const Known& known, const json& error) {
    const auto type = text_at(error, "type");
    // LoadImage's and LoadVideo's own check.
    if (type == "custom_validation_failed" &&
        text_at(error, "details").find("Invalid ") != std::string::npos)
        return input_file_hint;
    if (type == "prompt_no_outputs") return "add a node that saves or shows something: SaveImage";
    if (type == "required_input_missing" && known.format == workflow::Format::ui)
        return "if it runs in ComfyUI's page, save it there with Export (API): some packs make "
               "links and inputs in the page alone";
    return {};
}

WorkflowFault refused_input(const Known& known, const std::string& node,
                            const std::string& class_type, const json& error) {
    const auto type = text_at(error, "type");
    const auto& extra = object_at(error, "extra_info");
    const auto input = text_at(extra, "input_name");
    const auto found = known.classes.find(class_type);
    const auto* spec = found == known.classes.end() ? nullptr : found->second.input(input);
    if (const auto* value = member(extra, "received_value");
        value && spec && type == "value_not_in_list")
        return missing_choice(known, node, class_type, *spec, *value);
    return {.node = node,
            .class_type = class_type,
            .input = input,
            .message = text_of(error),
            .hint = hint_for(known, error)};
}

// What `counts` says of an input with choices and its value that is none of them.
template <class Counts>
Faults missing_of(const Known& known, const json& prompt, const Counts& counts) {
    Faults faults;
    for (const auto& [id, node] : prompt.items()) {
        const auto found = known.classes.find(text_at(node, "class_type"));
        if (found == known.classes.end()) continue;
        for (const auto& [name, value] : object_at(node, "inputs").items()) {
            const auto* input = found->second.input(name);
            if (!input || input->type != "COMBO" || value.is_structured()) continue;
            // The page asks another server for the choices.
            if (member(input->options, "remote")) continue;
            const auto& choices = input->choices;
            if (std::ranges::find(choices, value) == choices.end() && counts(*input, value))
                faults.push_back(missing_choice(known, id, found->first, *input, value));
        }
    }
    return faults;
}

// The same of several nodes is said once.
Faults told_once(Faults faults) {
    Faults once;
    for (auto& fault : faults) {
        const auto same = std::ranges::find_if(once, [&](const WorkflowFault& it) {
            return it.message == fault.message && it.hint == fault.hint;
        });
        if (same == once.end())
            once.push_back(std::move(fault));
        else if (same->node != fault.node &&
                 std::ranges::find(same->also, fault.node) == same->also.end())
            same->also.push_back(fault.node);
    }
    return once;
}

std::string joined(const json& lines) {
    std::string text;
    for (const auto& line : lines)
        if (line.is_string()) text += line.get<std::string>();
    return text;
}

std::string hint_for_exception(const std::string& type, const std::string& message) {
    const auto lower = to_lower(type + " " + message);
    // torch's DefaultCPUAllocator, and Python itself.
    if (lower.find("can't allocate memory") != lower.npos ||
        lower.find("cannot allocate memory") != lower.npos || lower.starts_with("memoryerror"))
        return "the machine has too little memory (RAM) for it: a larger pod, or smaller pictures";
    if (lower.find("outofmemory") != lower.npos || lower.find("out of memory") != lower.npos)
        return "the GPU has too little memory for it: comfyui.vram: low, or a larger GPU";
    return {};
}

WorkflowFault thrown(const json& data) {
    const auto type = text_at(data, "exception_type");
    const std::string message{trim(text_at(data, "exception_message"))};
    return {.node = id_at(data, "node_id"),
            .class_type = text_at(data, "node_type"),
            .message = fmt::format("{}: {}", type.empty() ? "it failed" : type, message),
            .hint = hint_for_exception(type, message),
            .details = joined(list_at(data, "traceback"))};
}

}  // namespace

Faults missing_classes(const Known& known) {
    struct Pack {
        std::vector<std::string> classes = {};
        std::vector<const workflow::PlannedNode*> nodes = {};
    };
    std::map<std::string, Pack> packs;  // by what is to be done
    std::vector<std::string> order;
    std::optional<std::map<std::string, std::string>> failed;
    for (const auto& node : known.needs.nodes) {
        if (known.classes.contains(node.class_type)) continue;
        if (!failed) failed = if_it_tells([&] { return known.client.failed_imports(); });
        const auto remedy = remedy_for_class(node, known.pod, *failed);
        const auto [pack, is_new] = packs.try_emplace(remedy);
        if (is_new) order.push_back(remedy);
        auto& classes = pack->second.classes;
        if (std::ranges::find(classes, node.class_type) == classes.end())
            classes.push_back(node.class_type);
        pack->second.nodes.push_back(&node);
    }
    Faults faults;
    for (const auto& remedy : order) {
        const auto& [classes, nodes] = packs.at(remedy);
        WorkflowFault fault{.node = nodes.front()->id,
                            .class_type = nodes.front()->class_type,
                            .message = fmt::format("ComfyUI has no node{} {}",
                                                   classes.size() == 1 ? "" : "s", listed(classes)),
                            .hint = remedy};
        for (const auto* node : nodes) {
            if (node != nodes.front()) fault.also.push_back(node->id);
            if (nodes.size() > 1)
                fault.details += fmt::format("{} {}\n", node->id, node->class_type);
        }
        faults.push_back(std::move(fault));
    }
    return faults;
}

Faults api_nodes(const Known& known, const json& prompt) {
    std::vector<std::string> classes, nodes;
    for (const auto& [id, node] : prompt.items()) {
        const auto found = known.classes.find(text_at(node, "class_type"));
        if (found == known.classes.end() || !found->second.is_api_node) continue;
        nodes.push_back(id);
        if (std::ranges::find(classes, found->first) == classes.end())
            classes.push_back(found->first);
    }
    if (nodes.empty()) return {};
    return {{.node = nodes.front(),
             .class_type = text_at(object_at(prompt, nodes.front()), "class_type"),
             .message = fmt::format("it calls services that cost money: {}", listed(classes)),
             .hint = "--allow-api-nodes runs them, with the key in $COMFY_API_KEY",
             .also = {nodes.begin() + 1, nodes.end()}}};
}

Faults missing_choices(const Known& known, const json& prompt) {
    return told_once(missing_of(known, prompt, [](const InputSpec&, const json&) { return true; }));
}

Faults missing_unchecked_models(const Known& known, const json& prompt) {
    return told_once(missing_of(known, prompt, [](const InputSpec& input, const json& value) {
        return !input.is_checked && value.is_string() && is_model_name(value.get<std::string>());
    }));
}

Faults refused_nodes(const Known& known, const json& prompt, const json& answer) {
    const auto* error = member(answer, "error");
    Faults faults = error ? broken_links(prompt) : Faults{};
    const bool explained = !faults.empty();
    for (const auto& [id, node] : object_at(answer, "node_errors").items())
        for (const auto& told : list_at(node, "errors"))
            // "Exception when validating node" is what a broken link does to ComfyUI.
            if (!explained || !text_at(told, "type").starts_with("exception_during"))
                faults.push_back(refused_input(known, id, text_at(node, "class_type"), told));
    if (!faults.empty() || !error) return told_once(std::move(faults));
    // An older one gives a text alone.
    const auto message = error->is_string() ? error->get<std::string>() : text_of(*error);
    return {
        {.message = "ComfyUI refuses the workflow: " + message, .hint = hint_for(known, *error)}};
}

Faults failed_node(const json& history_entry) {
    const auto& status = object_at(history_entry, "status");
    for (const auto& message : list_at(status, "messages")) {
        if (!message.is_array() || message.size() < 2) continue;
        if (message[0] == "execution_error") return {thrown(message[1])};
        if (message[0] == "execution_interrupted")
            return {{.node = id_at(message[1], "node_id"),
                     .class_type = text_at(message[1], "node_type"),
                     .message = "the run was interrupted, by somebody else"}};
    }
    if (text_at(status, "status_str") == "error")
        return {{.message = "the run failed", .hint = "ComfyUI's log says why"}};
    return {};
}

std::set<std::string> cached_nodes(const json& history_entry) {
    std::set<std::string> nodes;
    for (const auto& message : list_at(object_at(history_entry, "status"), "messages"))
        if (message.is_array() && message.size() > 1 && message[0] == "execution_cached")
            for (const auto& node : list_at(message[1], "nodes"))
                nodes.insert(id_text(node));
    return nodes;
}

std::optional<std::set<std::string>> executed_nodes(const json& history_entry) {
    for (const auto& message : list_at(object_at(history_entry, "status"), "messages")) {
        if (!message.is_array() || message.size() < 2) continue;
        if (message[0] != "execution_error" && message[0] != "execution_interrupted") continue;
        const auto* executed = member(message[1], "executed");
        if (!executed || !executed->is_array()) continue;
        std::set<std::string> nodes;
        for (const auto& node : *executed)
            nodes.insert(id_text(node));
        return nodes;
    }
    return std::nullopt;
}

Faults untested_nodes(const std::vector<event::WorkflowNode>& nodes) {
    std::vector<const event::WorkflowNode*> cached;
    for (const auto& node : nodes)
        if (node.state == event::WorkflowNode::State::cached) cached.push_back(&node);
    if (cached.empty()) return {};
    WorkflowFault fault{
        .node = cached.front()->id,
        .class_type = cached.front()->class_type,
        .message = "ComfyUI had its result of an earlier prompt, and did not run it",
        .hint =
            "somebody else ran the same meanwhile, or this ComfyUI cannot forget (POST /free): "
            "run it again; `podctl smoke --cached` takes such results for tested"};
    for (std::size_t i = 1; i < cached.size(); ++i)
        fault.also.push_back(cached[i]->id);
    return {fault};
}

}  // namespace podctl::comfy

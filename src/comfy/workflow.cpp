#include "workflow.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/names.hpp"

#include "ui_graph.hpp"

#include <fmt/format.h>

#include <random>

namespace podctl::comfy {
namespace {

// A graph is flat. What is nested deeper would overrun the stack of who prints it.
// A workflow of a thousand nodes has some hundred thousand values.
constexpr JsonLimits workflow_limits{.bytes = 64u << 20, .values = 1'000'000, .members = 100'000};

Error no_workflow(const std::string& name, const std::string& why) {
    return Error{ErrorKind::usage, fmt::format("{}: not a workflow: {}", name, why),
                 "save it in ComfyUI with Save or with Export (API)"};
}

json parse(std::string_view text, const std::string& name) {
    if (auto parsed = parse_json(text, workflow_limits)) return *std::move(parsed);
    throw no_workflow(name, json_fault(text, workflow_limits));
}

bool is_api_graph(const json& value) {
    if (!value.is_object() || value.empty()) return false;
    for (const auto& node : value)
        if (!node.is_object() || text_at(node, "class_type").empty()) return false;
    return true;
}

WorkflowNeeds needs_of_api(const json& prompt) {
    WorkflowNeeds needs;
    for (const auto& [id, node] : prompt.items())
        needs.nodes.push_back({.id = id,
                               .class_type = text_at(node, "class_type"),
                               .title = text_at(object_at(node, "_meta"), "title")});
    return needs;
}

}  // namespace

Workflow built_in_workflow() {
    std::random_device random;
    const unsigned color = random() & 0xFFFFFF;
    return {
        .format = Workflow::Format::api,
        .content = {
            {"1",
             {{"class_type", "EmptyImage"},
              {"inputs", {{"width", 64}, {"height", 64}, {"batch_size", 1}, {"color", color}}}}},
            {"2", {{"class_type", "ImageInvert"}, {"inputs", {{"image", {"1", 0}}}}}},
            {"3", {{"class_type", "PreviewImage"}, {"inputs", {{"images", {"2", 0}}}}}}}};
}

Workflow read_workflow(std::string_view text, const std::string& name) {
    auto content = parse(text, name);
    if (member(content, "nodes") && content["nodes"].is_array())
        return {Workflow::Format::ui, std::move(content)};
    // The body of a request for POST /prompt.
    if (const auto* prompt = member(content, "prompt"); prompt && is_api_graph(*prompt))
        return {Workflow::Format::api, json(*prompt)};
    if (is_api_graph(content)) return {Workflow::Format::api, std::move(content)};
    throw no_workflow(name, "it has neither \"nodes\" nor a \"class_type\" in each of its members");
}

WorkflowNeeds needs_of(const Workflow& workflow) {
    switch (workflow.format) {
        case Workflow::Format::api:
            return needs_of_api(workflow.content);
        case Workflow::Format::ui:
            return UiGraph{workflow.content}.needs();
    }
    return {};
}

json to_prompt(const Workflow& workflow, const NodeClasses& classes) {
    switch (workflow.format) {
        case Workflow::Format::api:
            return workflow.content;
        case Workflow::Format::ui:
            return UiGraph{workflow.content}.to_prompt(classes);
    }
    return {};
}

}  // namespace podctl::comfy

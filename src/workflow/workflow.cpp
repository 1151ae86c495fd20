#include "podctl/workflow/workflow.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"

#include "class_spec.hpp"
#include "content.hpp"
#include "link_resolver.hpp"
#include "page.hpp"
#include "page_json.hpp"
#include "prompt.hpp"
#include "prompt_edits.hpp"

#include <fmt/format.h>

#include <utility>

namespace podctl::workflow {
namespace {

Error no_workflow(const std::string& name, const std::string& why) {
    return Error{ErrorKind::usage, fmt::format("{}: not a workflow: {}", name, why),
                 "save it in ComfyUI with Save or with Export (API)"};
}

json parse(std::string_view text, const std::string& name) {
    if (auto parsed = parse_page_json(text)) return *std::move(parsed);
    throw no_workflow(name, json_fault(text, workflow_limits));
}

bool is_api_node(const json& value) {
    return !text_at(value, "class_type").empty();
}

// What begins with "_" is a remark: "_comment", "_meta".
bool is_api_graph(const json& value) {
    if (!value.is_object()) return false;
    bool has_node = false;
    for (const auto& [id, node] : value.items()) {
        if (is_api_node(node))
            has_node = true;
        else if (!id.starts_with('_'))
            return false;
    }
    return has_node;
}

json only_nodes(const json& graph) {
    json nodes = json::object();
    for (const auto& [id, node] : graph.items())
        if (is_api_node(node)) nodes[id] = node;
    return nodes;
}

bool is_ui_graph(const json& value) {
    const auto* nodes = member(value, "nodes");
    return nodes && nodes->is_array();
}

Workflow made(Format format, json value) {
    return Workflow{std::make_shared<const Content>(Content{format, std::move(value)})};
}

Needs needs_of_api(const json& prompt) {
    Needs needs;
    for (const auto& [id, node] : prompt.items())
        needs.nodes.push_back({.id = id,
                               .class_type = text_at(node, "class_type"),
                               .title = text_at(object_at(node, "_meta"), "title")});
    return needs;
}

void collect_models(const json& list, std::vector<ModelOrigin>& into) {
    for (const auto& model : list)
        into.push_back({.name = text_at(model, "name"),
                        .url = text_at(model, "url"),
                        .directory = text_at(model, "directory")});
}

Needs needs_of_ui(const json& content) {
    static const ClassTable no_classes{.classes = {}, .is_recent = true};
    const auto page = load_page(content, no_classes, {});
    Needs needs;
    collect_models(list_at(content, "models"), needs.models);
    Resolver{*page}.for_each_running([&](const Scope& scope, const PageNode& node) {
        const auto& properties = node.properties();
        needs.nodes.push_back({.id = scope.prefix + node.id,
                               .class_type = node.type,
                               .title = text_at(*node.raw, "title"),
                               .registry_id = text_at(properties, "cnr_id"),
                               .repository = text_at(properties, "aux_id")});
        collect_models(list_at(properties, "models"), needs.models);
    });
    return needs;
}

}  // namespace

Workflow::Workflow(std::shared_ptr<const Content> content) : content_(std::move(content)) {}

Format Workflow::format() const {
    return content_->format;
}

std::string Workflow::text() const {
    return content_->value.dump(-1, ' ', false, json::error_handler_t::replace);
}

Workflow read_workflow(std::string_view text, const std::string& name) {
    auto content = parse(text, name);
    if (is_ui_graph(content)) return made(Format::ui, std::move(content));
    // The body of a request for POST /prompt, and what others wrap a graph in.
    for (const char* key : {"prompt", "workflow"}) {
        const auto* inner = member(content, key);
        if (inner && is_api_graph(*inner)) return made(Format::api, only_nodes(*inner));
        if (inner && is_ui_graph(*inner)) return made(Format::ui, json(*inner));
    }
    if (is_api_graph(content)) return made(Format::api, only_nodes(content));
    throw no_workflow(name, "it has neither \"nodes\" nor a \"class_type\" in each of its members");
}

Needs needs_of(const Workflow& workflow) {
    const auto& content = workflow.content();
    return content.format == Format::api ? needs_of_api(content.value) : needs_of_ui(content.value);
}

Classes::Classes() : table_(std::make_shared<ClassTable>()) {}

void Classes::add(std::string_view answer) {
    read_classes(answer, *table_);
}

bool Classes::contains(const std::string& name) const {
    return table_->find(name) != nullptr;
}

Prompt to_prompt(const Workflow& workflow, const Classes& classes,
                 const ConversionOptions& options) {
    const auto& content = workflow.content();
    if (content.format == Format::ui)
        return prompt_of_page(content.value, classes.table(), options);
    auto nodes = content.value;
    edit_prompt(nodes, classes.table(), usual_controls(nodes, classes.table()), options);
    Prompt prompt{.text = nodes.dump(-1, ' ', false, json::error_handler_t::replace)};
    for (const auto& node : needs_of_api(content.value).nodes)
        if (!classes.contains(node.class_type)) prompt.unknown.push_back(node);
    return prompt;
}

}  // namespace podctl::workflow

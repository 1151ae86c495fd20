#include "podctl/base/names.hpp"

#include "catalog_data.hpp"
#include "emit.hpp"
#include "paths.hpp"
#include "validate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace podctl::tmpl {
namespace {

// Of an item that has an entry which is known; nullptr: it is a line of its own, or faulty.
const Value* catalog_value(const Value& item) {
    const Value* name = item.find("catalog");
    return name && name->is_scalar() && !name->faulty && !item.faulty ? name : nullptr;
}

// The keys of a model's line in a template, with their values.
std::vector<std::pair<std::string, std::string>> keys_of(const CatalogFile& file) {
    std::vector<std::pair<std::string, std::string>> keys{{"source", file.source}, {"to", file.to}};
    if (!file.name.empty()) keys.emplace_back("name", file.name);
    if (!file.sha256.empty()) keys.emplace_back("sha256", file.sha256);
    if (!file.layout.empty()) keys.emplace_back("layout", file.layout);
    if (file.unpack) keys.emplace_back("unpack", "true");
    if (file.allow_pickle) keys.emplace_back("pickle", "allow");
    return keys;
}

Value line_of(const CatalogFile& file, const Place& place) {
    Value line{Value::Type::mapping, place};
    for (auto& [key, text] : keys_of(file))
        line.entries.push_back({key, place, {Value::Type::scalar, place, std::move(text)}});
    return line;
}

bool is_of(const ModelLine& line, const CatalogFile& file) {
    return !line.catalog.empty() && line.value.find("source")->text == file.source &&
           line.value.find("to")->text == file.to;
}

void add_file(std::vector<ModelLine>& lines, const CatalogFile& file, ModelLine line,
              const Value* optional) {
    const auto same =
        std::ranges::find_if(lines, [&](const ModelLine& it) { return is_of(it, file); });
    if (same == lines.end()) {
        if (optional) line.value.entries.push_back({"optional", optional->place, *optional});
        lines.push_back(std::move(line));
    } else if (!optional) {
        // What one of the two cannot do without is not optional.
        std::erase_if(same->value.entries, [](const Entry& it) { return it.key == "optional"; });
    }
}

std::string comment_of(const CatalogEntry& entry) {
    std::string comment =
        fmt::format("# {}: {}\n# licence: {}\n", entry.name, entry.title, entry.licence);
    if (entry.least_vram && entry.comfortable_vram)
        comment +=
            fmt::format("# GPU memory: {} at least, better {}\n", format_bytes(*entry.least_vram),
                        format_bytes(*entry.comfortable_vram));
    for (const auto& other : entry.needs)
        comment += fmt::format("# goes with {}: podctl models --yaml {}\n", other, other);
    if (!entry.note.empty()) comment += fmt::format("# {}\n", entry.note);
    return comment;
}

Value list_of(std::vector<Value> items) {
    Value list{Value::Type::sequence, {}};
    list.items = std::move(items);
    return list;
}

bool has_pack(const Template& pod, const std::string& git) {
    const std::string name = to_lower(repository_name(git));
    return std::ranges::any_of(pod.custom_nodes, [&](const CustomNode& node) {
        const auto* registry = std::get_if<RegistryNode>(&node.source);
        const auto* cloned = std::get_if<GitNode>(&node.source);
        return to_lower(node.name) == name || (registry && to_lower(registry->id) == name) ||
               (cloned && to_lower(repository_name(cloned->git)) == name);
    });
}

}  // namespace

std::vector<ModelLine> model_lines(const Value& models) {
    std::vector<ModelLine> lines;
    for (std::size_t i = 0; i < models.items.size(); ++i) {
        const Value& item = models.items[i];
        const std::string key = key_path("models", i);
        const Value* name = catalog_value(item);
        const CatalogEntry* entry = name ? catalog().find(name->text) : nullptr;
        if (!entry) {
            lines.push_back({key, {}, item});
            continue;
        }
        const Value* optional = item.find("optional");
        if (optional && (optional->is_null() || !read_boolean(optional->text).value_or(false)))
            optional = nullptr;
        for (const CatalogFile& file : entry->files)
            add_file(lines, file, {key, entry->name, line_of(file, name->place)}, optional);
    }
    return lines;
}

void expand_catalog(Value& root) {
    Value* models = root.find("models");
    if (!models) return;
    std::vector<Value> items;
    for (ModelLine& line : model_lines(*models))
        items.push_back(std::move(line.value));
    models->items = std::move(items);
}

std::string template_lines(const CatalogEntry& entry) {
    std::vector<Value> models, nodes;
    for (const CatalogFile& file : entry.files)
        models.push_back(line_of(file, {}));
    for (const std::string& git : entry.custom_nodes)
        nodes.push_back({Value::Type::scalar, {}, git});
    Value root{Value::Type::mapping, {}};
    if (!models.empty()) root.entries.push_back({"models", {}, list_of(std::move(models))});
    if (!nodes.empty()) root.entries.push_back({"custom_nodes", {}, list_of(std::move(nodes))});
    return comment_of(entry) + emit_yaml(root);
}

std::vector<Diagnostic> missing_packs(const Template& pod) {
    std::vector<Diagnostic> missing;
    std::string told;  // several files of one line
    for (const Model& model : pod.models) {
        const CatalogEntry* entry =
            model.catalog.empty() || model.key == told ? nullptr : catalog().find(model.catalog);
        if (!entry) continue;
        told = model.key;
        for (const std::string& git : entry->custom_nodes) {
            if (has_pack(pod, git)) continue;
            missing.push_back(
                {.file = model.file,
                 .line = model.line,
                 .column = model.column,
                 .key = model.key,
                 .message = fmt::format("{} is loaded by a custom node that the pod does not have; "
                                        "add {} to custom_nodes",
                                        entry->name, git)});
        }
    }
    return missing;
}

}  // namespace podctl::tmpl

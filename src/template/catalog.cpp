#include "podctl/base/text.hpp"

#include "catalog_data.hpp"
#include "document.hpp"
#include "validate.hpp"

#include <algorithm>
#include <cctype>

namespace podctl::tmpl {
namespace {

std::string text_at(const Value& mapping, std::string_view key) {
    const Value* value = mapping.find(key);
    return value ? value->text : std::string{};
}

const std::vector<Value>& items_at(const Value& mapping, std::string_view key) {
    static const std::vector<Value> none;
    const Value* list = mapping.find(key);
    return list ? list->items : none;
}

std::vector<std::string> texts_at(const Value& mapping, std::string_view key) {
    std::vector<std::string> texts;
    for (const Value& item : items_at(mapping, key))
        texts.push_back(item.text);
    return texts;
}

CatalogFile file_of_entry(const Value& value) {
    const std::string size = text_at(value, "size");
    return {.source = text_at(value, "source"),
            .to = text_at(value, "to"),
            .name = text_at(value, "name"),
            .sha256 = text_at(value, "sha256"),
            .layout = text_at(value, "layout"),
            .unpack = read_boolean(text_at(value, "unpack")).value_or(false),
            .allow_pickle = value.find("pickle") != nullptr,
            .size = parse_bytes(size),
            .size_is_exact = !size.empty() && std::ranges::all_of(size, is_digit)};
}

CatalogEntry read_entry(const Value& value) {
    CatalogEntry entry{.name = text_at(value, "name"),
                       .title = text_at(value, "title"),
                       .uses = {},
                       .files = {},
                       .licence = text_at(value, "licence"),
                       .needs = texts_at(value, "needs"),
                       .custom_nodes = texts_at(value, "custom_nodes"),
                       .note = text_at(value, "note")};
    if (const Value* tasks = value.find("tasks"))
        for (const Entry& task : tasks->entries)
            entry.uses.push_back({task.key, task.value.text});
    for (const Value& file : items_at(value, "files"))
        entry.files.push_back(file_of_entry(file));
    if (const Value* vram = value.find("vram")) {
        entry.least_vram = read_size(text_at(*vram, "min"));
        entry.comfortable_vram = read_size(text_at(*vram, "comfortable"));
    }
    return entry;
}

}  // namespace

const CatalogEntry::Use* CatalogEntry::use_for(std::string_view task) const {
    const auto found = std::ranges::find(uses, task, &Use::task);
    return found == uses.end() ? nullptr : &*found;
}

std::optional<Bytes> CatalogEntry::size() const {
    std::optional<Bytes> all;
    for (const CatalogFile& file : files)
        if (file.size) all = all.value_or(Bytes{}) + *file.size;
    return all;
}

const CatalogEntry* Catalog::find(std::string_view name) const {
    const auto found = std::ranges::find(entries, name, &CatalogEntry::name);
    return found == entries.end() ? nullptr : &*found;
}

Catalog parse_catalog(std::string_view text) {
    Diagnostics diagnostics;
    const auto root =
        parse_document(text, std::make_shared<const std::string>("templates/catalog/models.yaml"),
                       Lines::keep, diagnostics);
    diagnostics.throw_if_any();
    Catalog catalog;
    for (const Value& task : items_at(*root, "tasks"))
        catalog.tasks.push_back({text_at(task, "name"), text_at(task, "summary")});
    for (const Value& entry : items_at(*root, "models"))
        catalog.entries.push_back(read_entry(entry));
    return catalog;
}

const Catalog& catalog() {
    static const Catalog known = parse_catalog(catalog_text());
    return known;
}

std::vector<std::string> catalog_names() {
    std::vector<std::string> names;
    for (const CatalogEntry& entry : catalog().entries)
        if (!entry.files.empty()) names.push_back(entry.name);
    return names;
}

}  // namespace podctl::tmpl

#include "checks.hpp"

#include "podctl/template/template.hpp"

#include "paths.hpp"
#include "validate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace podctl::tmpl {
namespace {

struct Folder {
    std::string path;  // absolute
    std::string key;
    Place place;
    std::string shown;
};

bool in_venv(Value& root) {
    const Value* python = root.find("python");
    if (!python) return true;
    const std::string* environment = text_of(*python, "environment");
    return !environment || *environment == "venv";
}

// The folder of a section: its `path`, or the default one.
std::optional<Folder> section_folder(const Checking& checking, const char* section,
                                     const std::string& fallback) {
    Value* mapping = checking.root.find(section);
    Value* path = mapping ? mapping->find("path") : nullptr;
    if (path && path->faulty) return std::nullopt;
    const bool given = path && path->is_scalar();
    return Folder{.path = absolute_path(given ? path->text : fallback, checking.context.mount),
                  .key = std::string(section) + ".path",
                  .place = given ? path->place : Place{checking.root.place.file},
                  .shown = given ? shown(*path) : quote(fallback)};
}

std::optional<Folder> repository_folder(const Checking& checking, Value& item, std::size_t index) {
    const std::string key = key_path("repositories", index);
    if (Value* path = item.find("path"); path && !path->is_null()) {
        if (path->faulty || !path->is_scalar()) return std::nullopt;
        return Folder{.path = absolute_path(path->text, checking.context.mount),
                      .key = key_path(key, "path"),
                      .place = path->place,
                      .shown = shown(*path)};
    }
    Value* git = usable(item, "git");
    if (!git || !git->is_scalar()) return std::nullopt;
    const std::string name = repository_name(git->text);
    if (name.empty() || owned_path_fault(name, checking.context)) {
        checking.diagnostics.add(item.place, key_path(key, "path"),
                                 "is missing, and the URL names no folder to clone into");
        return std::nullopt;
    }
    return Folder{.path = absolute_path(name, checking.context.mount),
                  .key = key,
                  .place = git->place,
                  .shown = shown(*git)};
}

}  // namespace

const std::string* text_of(const Value& mapping, std::string_view key) {
    const Value* value = mapping.find(key);
    if (!value || !value->is_scalar() || value->faulty || value->text.empty()) return nullptr;
    return &value->text;
}

Value* usable(Value& mapping, std::string_view key) {
    Value* value = mapping.find(key);
    return value && !value->faulty && !value->is_null() ? value : nullptr;
}

std::span<Value> items_of(Value& root, std::string_view key) {
    Value* list = root.find(key);
    return list ? std::span<Value>{list->items} : std::span<Value>{};
}

Value* field_or_short_form(Value& item, std::string_view key) {
    Value* value = item.is_scalar() ? &item : item.find(key);
    return value && value->is_scalar() && !value->faulty ? value : nullptr;
}

std::optional<std::string> Claims::claim(const std::string& what, const std::string& by,
                                         const Place& place) {
    const auto [first, fresh] = claims_.try_emplace(what, Claim{by, place});
    if (fresh) return std::nullopt;
    const Claim& claim = first->second;
    if (claim.place.line == 0) return claim.by;
    const bool same_file = place.file && *claim.place.file == *place.file;
    return fmt::format("{} ({}line {})", claim.by, same_file ? "" : *claim.place.file + " ",
                       claim.place.line);
}

void check_folders(const Checking& checking) {
    std::vector<Folder> folders;
    const auto add = [&](std::optional<Folder> folder) {
        if (folder) folders.push_back(std::move(*folder));
    };
    if (checking.root.find("comfyui")) add(section_folder(checking, "comfyui", ComfyUi{}.path));
    if (in_venv(checking.root)) add(section_folder(checking, "python", Python{}.path));
    const auto repositories = items_of(checking.root, "repositories");
    for (std::size_t i = 0; i < repositories.size(); ++i) {
        if (repositories[i].is_mapping()) add(repository_folder(checking, repositories[i], i));
    }
    Claims claims;
    for (const Folder& folder : folders) {
        const auto taken = claims.claim(folder.path, folder.key, folder.place);
        if (!taken) continue;
        checking.diagnostics.add(
            folder.place, folder.key,
            fmt::format("found {}, which is the folder of {}, too; allowed: a folder "
                        "of its own",
                        folder.shown, *taken));
    }
}

void check_mirrors(const Checking& checking) {
    Value* mirrors = usable(checking.root, "mirrors");
    if (!mirrors) return;
    for (const Entry& entry : mirrors->entries) {
        const std::string& target = entry.value.text;
        if (entry.value.faulty || target.empty() || !entry.key.ends_with('/')) continue;
        // The prefix is replaced as text: without the slash, host and first folder would grow
        // together.
        if (target.ends_with('/') || target.ends_with(':') || target.ends_with('=')) continue;
        checking.diagnostics.add(
            entry.value.place, key_path("mirrors", entry.key),
            fmt::format("found {}; the prefix ends in a slash, so must what replaces it",
                        shown(entry.value)));
    }
}

void check_secrets(const Checking& checking) {
    std::vector<std::string> listed;
    for (const Value& name : items_of(checking.root, "secrets"))
        if (name.is_scalar()) listed.push_back(name.text);
    const auto check = [&](Value& section, const std::string& path, const char* key) {
        Value* names = usable(section, key);
        if (!names) return;
        for (std::size_t i = 0; i < names->items.size(); ++i) {
            Value& name = names->items[i];
            if (!name.is_scalar() || name.faulty) continue;
            if (std::find(listed.begin(), listed.end(), name.text) != listed.end()) continue;
            const std::string near = name.interpolated ? "" : did_you_mean(name.text, listed);
            checking.diagnostics.add(
                name.place, key_path(key_path(path, key), i),
                fmt::format("found {}, which `secrets` does not list{}; add it "
                            "there",
                            shown(name), near));
        }
    };
    if (Value* python = checking.root.find("python")) check(*python, "python", "build_secrets");
    if (Value* comfyui = checking.root.find("comfyui")) check(*comfyui, "comfyui", "secrets");
    const auto services = items_of(checking.root, "services");
    for (std::size_t i = 0; i < services.size(); ++i)
        check(services[i], key_path("services", i), "secrets");
}

void check_sharing(const Checking& checking) {
    Value* pod = checking.root.find("pod");
    Value* shared = pod ? usable(*pod, "shared") : nullptr;
    const std::string* packs = shared ? text_of(*shared, "custom_nodes") : nullptr;
    Value* python = checking.root.find("python");
    const std::string* disk = python ? text_of(*python, "disk") : nullptr;
    if (!packs || read_boolean(*packs).value_or(true) || !disk || *disk != "volume") return;
    checking.diagnostics.add(python->find("disk")->place, "python.disk",
                             "found 'volume'; packs of the pod's own (pod.shared.custom_nodes) "
                             "want an environment of its own: allowed: container, auto");
}

void check_all(Value& root, const PathContext& context, Diagnostics& diagnostics) {
    const Checking checking{root, context, diagnostics};
    check_folders(checking);
    check_models(checking);
    check_nodes(checking);
    check_services(checking);
    check_mirrors(checking);
    check_secrets(checking);
    check_sharing(checking);
}

}  // namespace podctl::tmpl

#include "podctl/base/names.hpp"

#include "checks.hpp"
#include "node_name.hpp"
#include "paths.hpp"

#include <fmt/format.h>

namespace podctl::tmpl {
namespace {

// A key that only one kind of node has a use for.
void check_belongs(const Checking& checking, Value& item, const std::string& path, const char* key,
                   const char* owner) {
    Value* value = usable(item, key);
    if (!value || item.find(owner)) return;
    checking.diagnostics.fault(
        *value, key_path(path, key),
        fmt::format("found {}; it goes with `{}`, which is not there", shown(*value), owner));
}

void check_name(const Checking& checking, Value& item, const std::string& path, Claims& claims) {
    const std::string name = node_name(item);
    if (safe_file_name(name) != name || name.empty()) {
        checking.diagnostics.add(
            item.place, key_path(path, "name"),
            "is missing, and nothing here tells a folder's name under custom_nodes/");
        return;
    }
    // ComfyUI's registry and some file systems do not tell upper from lower case.
    const auto taken = claims.claim(to_lower(name), path, item.place);
    if (!taken) return;
    checking.diagnostics.add(
        item.place, path,
        fmt::format("has the name of {}; give one of them another `name`", *taken));
}

// ComfyUI loads a single file by its extension.
void check_file(const Checking& checking, Value& item, const std::string& path) {
    const std::string* source = text_of(item, "path");
    Value* name = usable(item, "name");
    if (!source || !source->ends_with(".py") || !name || name->text.ends_with(".py")) return;
    checking.diagnostics.fault(
        *name, key_path(path, "name"),
        fmt::format("found {}; a pack of a single file has a name that ends in .py", shown(*name)));
}

bool fit(Value& item) {
    if (item.faulty) return false;
    if (item.is_scalar()) return true;
    for (const char* key : {"name", "git", "registry", "path"}) {
        const Value* value = item.find(key);
        if (value && value->faulty) return false;
    }
    return item.is_mapping();
}

}  // namespace

void check_nodes(const Checking& checking) {
    const auto nodes = items_of(checking.root, "custom_nodes");
    if (!nodes.empty() && !checking.root.find("comfyui")) {
        checking.diagnostics.add(checking.root.find("custom_nodes")->place, "custom_nodes",
                                 "custom nodes need ComfyUI; add `comfyui: {}`");
    }
    Claims claims;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        Value& item = nodes[i];
        if (!fit(item)) continue;
        const std::string path = key_path("custom_nodes", i);
        check_belongs(checking, item, path, "ref", "git");
        check_belongs(checking, item, path, "submodules", "git");
        check_belongs(checking, item, path, "version", "registry");
        check_name(checking, item, path, claims);
        check_file(checking, item, path);
    }
}

}  // namespace podctl::tmpl

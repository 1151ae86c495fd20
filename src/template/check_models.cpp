#include "podctl/base/inert_name.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/url.hpp"
#include "podctl/template/template.hpp"

#include "catalog_data.hpp"
#include "checks.hpp"
#include "paths.hpp"
#include "validate.hpp"

#include <fmt/format.h>

namespace podctl::tmpl {
namespace {

// The last part of a source's path: of hf:ORG/REPO/FILE, of a URL without its query, of an AIR.
std::string_view source_file(std::string_view source) {
    source = source.substr(0, source.find_first_of("?#"));
    const auto slash = source.rfind('/');
    return slash == std::string_view::npos ? source : source.substr(slash + 1);
}

bool is_true(const Value& item, std::string_view key) {
    const std::string* text = text_of(item, key);
    return text && read_boolean(*text).value_or(false);
}

// What the name alone tells: the content is judged when it is there.
void check_inert(const Checking& checking, Value& item, const std::string& path) {
    const Value* source = field_or_short_form(item, "source");
    const Value* pickle = item.find("pickle");
    const bool unpack = is_true(item, "unpack");
    if (!source || unpack || (pickle && !pickle->is_null())) return;
    const std::string* name = text_of(item, "name");
    auto why = name ? why_name_is_not_inert(*name) : std::string{};
    const bool by_name = !why.empty();
    // Another name hides no pickle; a program may well be what sends the file (download.php?id=1).
    const auto sent = percent_decode(source_file(source->text));
    if (why.empty() && (!name || is_pickle_name(sent))) why = why_name_is_not_inert(sent);
    if (why.empty()) return;
    const Value* found = by_name ? item.find("name") : source;
    checking.diagnostics.add(
        found->place, path,
        fmt::format("found {}, {}: loading it can run the code in it; allowed: a "
                    ".safetensors or .gguf file, or `pickle: allow` for a maker whom "
                    "you trust",
                    shown(*found), why));
}

// Where `to` leads; empty: only the source's own type tells.
std::string folder_of(const Checking& checking, const Value& item) {
    const std::string* to = text_of(item, "to");
    if (!to) return {};
    const Value* comfyui = checking.root.find("comfyui");
    const std::string* given = comfyui ? text_of(*comfyui, "path") : nullptr;
    const std::string comfyui_path =
        absolute_path(given ? *given : ComfyUi{}.path, checking.context.mount);
    return absolute_path(*to, absolute_path("models", comfyui_path));
}

// The file's name where it is known before the server was asked.
std::string name_of(const Value& item, std::string_view source) {
    if (const std::string* name = text_of(item, "name")) return *name;
    return source.starts_with("hf:") ? std::string{source_file(source)} : std::string{};
}

void check_place(const Checking& checking, Value& item, const std::string& path, Claims& claims) {
    const Value* source = field_or_short_form(item, "source");
    const Value* to = item.find("to");
    if (!source || (to && to->faulty)) return;
    const std::string folder = folder_of(checking, item);
    const std::string name = name_of(item, source->text);
    const std::string* layout = text_of(item, "layout");
    const bool known = !folder.empty() && !name.empty() && !(layout && *layout == "civitdl");
    // The same source twice goes to the same place, whatever the server calls it.
    const std::string* own_name = text_of(item, "name");
    const std::string key = known ? "file " + folder + "/" + name
                                  : fmt::format("source {}\n{}\n{}", source->text, folder,
                                                own_name ? *own_name : std::string{});
    const auto taken = claims.claim(key, path, item.place);
    if (!taken) return;
    checking.diagnostics.add(
        item.place, path,
        fmt::format("goes to the same file as {}; give one of them another `to` or "
                    "`name`",
                    *taken));
}

// Without ComfyUI there is no models/ folder that a relative `to` could be under.
void check_without_comfyui(const Checking& checking, const Value& item, const std::string& path) {
    const Value* to = item.find("to");
    if (to && (to->faulty || (to->is_scalar() && to->text.starts_with('/')))) return;
    const bool given = to && to->is_scalar();
    checking.diagnostics.add(
        given ? to->place : item.place, key_path(path, "to"),
        fmt::format("{}; without `comfyui` there is no models/ folder; allowed: an "
                    "absolute path in the mount {}",
                    given ? "found " + shown(*to) : "is missing", checking.context.shown));
}

// The same for the files of an entry of the catalog.
void check_entry_without_comfyui(const Checking& checking, Value& models) {
    for (std::size_t i = 0; i < models.items.size(); ++i) {
        Value* entry = usable(models.items[i], "catalog");
        if (!entry) continue;
        checking.diagnostics.add(
            entry->place, key_path(key_path("models", i), "catalog"),
            fmt::format("found {}; without `comfyui` there is no models/ folder for its files; add "
                        "`comfyui: {{}}`, or write what `podctl models --yaml` prints with "
                        "absolute paths",
                        shown(*entry)));
    }
}

// An entry that is not known, or not to be read.
bool is_lost(const ModelLine& line) {
    const Value* entry = line.value.find("catalog");
    return entry && !entry->is_null();
}

}  // namespace

void check_models(const Checking& checking) {
    const bool comfyui = checking.root.find("comfyui") != nullptr;
    Claims claims;
    Value* models = usable(checking.root, "models");
    if (!models) return;
    if (!comfyui) check_entry_without_comfyui(checking, *models);
    for (auto& line : model_lines(*models)) {
        Value& item = line.value;
        if (item.faulty || (!item.is_scalar() && !item.is_mapping()) || is_lost(line)) continue;
        check_inert(checking, item, line.key);
        if (!comfyui && line.catalog.empty()) check_without_comfyui(checking, item, line.key);
        check_place(checking, item, line.key, claims);
    }
}

}  // namespace podctl::tmpl

#include "podctl/template/load.hpp"

#include "podctl/base/file.hpp"

#include "bind.hpp"
#include "catalog_data.hpp"
#include "checks.hpp"
#include "diagnostics.hpp"
#include "document.hpp"
#include "emit.hpp"
#include "interpolate.hpp"
#include "leaks.hpp"
#include "overlay.hpp"
#include "pasted.hpp"
#include "validate.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <utility>

namespace podctl::tmpl {
namespace {

struct Layer {
    std::string text;
    std::string file;
};

std::string read_template(const std::filesystem::path& path) {
    const auto stamp = file_stamp(path);
    // A model named by mistake is not read as a whole to say that it is no template.
    if (stamp && stamp->size > Limits::bytes) {
        Diagnostics diagnostics;
        diagnostics.add({std::make_shared<const std::string>(path.string())}, {},
                        fmt::format("is larger than {} MiB", Limits::bytes >> 20));
        diagnostics.throw_if_any();
    }
    return read_file(path);
}

Layer layer_of(const std::filesystem::path& path) {
    if (path == "-") return {read_stdin(Limits::bytes), "<stdin>"};
    return {read_template(path), path.string()};
}

// The tree of one file; nullopt (and a diagnostic) when it is no mapping.
std::optional<Value> read_layer(const Layer& layer, bool may_be_empty, Diagnostics& diagnostics) {
    const auto file = std::make_shared<const std::string>(layer.file);
    auto tree = parse_document(layer.text, file, Lines::keep, diagnostics);
    if (!tree) return std::nullopt;
    find_secrets(*tree, {}, diagnostics);
    if (tree->is_mapping()) return tree;
    if (tree->is_null() && may_be_empty) {
        tree->type = Value::Type::mapping;
        return tree;
    }
    if (!tree->place.file) tree->place.file = file;
    diagnostics.add(tree->place, {},
                    fmt::format("found {}; a template is a mapping of keys", shown(*tree)));
    return std::nullopt;
}

// Merged, interpolated and checked.
Value load_tree(const std::vector<Layer>& layers, const LoadOptions& options) {
    Diagnostics diagnostics;
    std::optional<Value> root;
    for (const Layer& layer : layers) {
        auto tree = read_layer(layer, &layer != &layers.front(), diagnostics);
        if (!root && &layer == &layers.front()) {
            root = std::move(tree);
        } else if (root && tree) {
            merge(*root, std::move(*tree));
        }
    }
    // What is wrong with the values of a template that is only partly there would mislead.
    if (!root) diagnostics.throw_if_any();
    for (const std::string& assignment : options.set)
        apply_set(*root, assignment, diagnostics);
    interpolate(*root, options.environment, diagnostics);
    understand_pasted(*root, diagnostics);
    const PathContext context = path_context(*root);
    validate(*root, context, diagnostics);
    check_all(*root, context, diagnostics);
    diagnostics.throw_if_any();
    return std::move(*root);
}

std::vector<Layer> with_overlays(Layer base, const LoadOptions& options) {
    std::vector<Layer> layers{std::move(base)};
    for (const auto& overlay : options.overlays) {
        layers.push_back(layer_of(overlay));
    }
    return layers;
}

}  // namespace

Environment process_environment() {
    return [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value ? std::optional<std::string>{value} : std::nullopt;
    };
}

Template load_template(const std::filesystem::path& path, const LoadOptions& options) {
    return bind(load_tree(with_overlays(layer_of(path), options), options));
}

Template parse_template(std::string_view text, const std::string& file,
                        const LoadOptions& options) {
    return bind(load_tree(with_overlays({std::string{text}, file}, options), options));
}

std::string effective_yaml(const std::filesystem::path& path, const LoadOptions& options) {
    Value tree = load_tree(with_overlays(layer_of(path), options), options);
    expand_catalog(tree);
    return emit_yaml(tree);
}

}  // namespace podctl::tmpl

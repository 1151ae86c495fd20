#include "catalog_data.hpp"
#include "keys.hpp"

// The catalog is podctl's own: catalog.cpp reads it, and a test holds its text to these keys.
namespace podctl::tmpl {
namespace {

Type list_of_mappings(const Shape& shape) {
    return {.kind = Kind::list,
            .element = std::make_shared<const Type>(Type{.kind = Kind::mapping, .shape = &shape})};
}

}  // namespace

const Shape& catalog_shape() {
    static const Shape task{.title = "a task of the catalog",
                            .fields = {
                                {"name", string(formats::line).type, "Its name.", {}, true},
                                {"summary", string(formats::line).type, "What it is.", {}, true},
                            }};
    static const Shape vram{.title = "the GPU memory of a model",
                            .fields = {
                                {"min", size().type, "What one gets by with.", {}, true},
                                {"comfortable", size().type, "What is enough.", {}, true},
                            }};
    // The keys of a model in a template, and the size.
    static const Shape file = [] {
        Shape shape{.title = "a file of the catalog", .fields = {}};
        for (const char* key : {"source", "to", "name", "sha256", "layout", "unpack", "pickle"}) {
            shape.fields.push_back(*keys_of<Model>().shape().find(key));
            shape.fields.back().required = shape.fields.size() <= 2;
        }
        shape.fields.push_back({"size", text().type, "Bytes; with a unit: about."});
        return shape;
    }();
    static const Shape entry{
        .title = "a model of the catalog",
        .fields = {
            {"name", string(formats::dns_label).type, "What a template calls it.", {}, true},
            {"title", string(formats::line).type, "What people call it.", {}, true},
            {"tasks",
             map(formats::line, string(formats::line)).type,
             "How it does each.",
             {},
             true},
            {"files", list_of_mappings(file), "Absent: nothing to fetch."},
            {"vram", {.kind = Kind::mapping, .shape = &vram}, "GPU memory."},
            {"licence", string(formats::line).type, "Under which it is given.", {}, true},
            {"needs", list(string(formats::dns_label)).type, "Entries that it goes with."},
            {"custom_nodes", list(string(formats::git_url)).type, "The packs that load it."},
            {"note", string(formats::line).type, "What else to know."},
        }};
    static const Shape shape{.title = "the catalog",
                             .fields = {
                                 {"tasks", list_of_mappings(task), "In their order.", {}, true},
                                 {"models", list_of_mappings(entry), "In their order.", {}, true},
                             }};
    return shape;
}

}  // namespace podctl::tmpl

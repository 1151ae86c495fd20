#pragma once

#include "podctl/base/units.hpp"
#include "podctl/template/load.hpp"
#include "podctl/template/template.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The models that podctl knows by name: templates/catalog/models.yaml, which the binary carries.
namespace podctl::tmpl {

// A line of `models`, with what is known of its file.
struct CatalogFile {
    std::string source, to;
    std::string name;    // empty: the source's own
    std::string sha256;  // empty: the hub's own
    std::string layout;  // empty: flat
    bool unpack = false;
    bool allow_pickle = false;
    std::optional<Bytes> size = {};  // absent: the hub knows
    bool size_is_exact = false;
};

struct CatalogTask {
    std::string name, summary;
};

struct CatalogEntry {
    std::string name, title;
    struct Use {
        std::string task;
        std::string how;  // by which nodes, from what
    };
    std::vector<Use> uses;
    std::vector<CatalogFile> files;  // empty: there is nothing to fetch
    // GPU memory: what people get by with, and what leaves nothing to wish for.
    std::optional<Bytes> least_vram = {}, comfortable_vram = {};
    std::string licence;
    std::vector<std::string> needs;         // entries one of which a workflow takes beside it
    std::vector<std::string> custom_nodes;  // git URLs of the packs that load it
    std::string note;

    // How it does a task; nullptr: it does not.
    const Use* use_for(std::string_view task) const;
    // Of all files whose size is known; nullopt: of none.
    std::optional<Bytes> size() const;
};

struct Catalog {
    std::vector<CatalogTask> tasks;
    std::vector<CatalogEntry> entries;

    const CatalogEntry* find(std::string_view name) const;
};

const Catalog& catalog();

// `models:` and `custom_nodes:` of an entry as a template has them, with a comment on what it is;
// of one without files the comment alone.
std::string template_lines(const CatalogEntry& entry);

// Custom node packs that load what the pod has from the catalog, and that it does not have: where
// the entry stands, and what to add.
std::vector<Diagnostic> missing_packs(const Template& pod);

}  // namespace podctl::tmpl

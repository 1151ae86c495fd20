#include "podctl/base/names.hpp"

#include "catalog_data.hpp"
#include "keys.hpp"
#include "node_name.hpp"

namespace podctl::tmpl {

template <>
const Table<ComfyUi>& keys_of() {
    static const Table<ComfyUi> table{
        "ComfyUI",
        {
            field("source", &ComfyUi::source, string(formats::git_url), "Where it is cloned from."),
            field("ref", &ComfyUi::ref, string(formats::git_ref),
                  "Tag, branch or commit; absent: the default branch."),
            field("path", &ComfyUi::path, string(formats::owned_path), "Where it goes."),
            field("port", &ComfyUi::port, port(), "The port it serves."),
            field("listen", &ComfyUi::listen, string(formats::listen),
                  "The address it listens on."),
            field("ready_timeout", &ComfyUi::ready_timeout, duration(),
                  "/system_stats must answer 200 by then."),
            field("progress_page", &ComfyUi::progress_page, boolean(),
                  "The port shows the provisioning until ComfyUI takes it."),
            field("cors", &ComfyUi::cors, string(formats::optional_line),
                  "The origin that browsers may call from: \"*\"."),
            field("vram", &ComfyUi::vram,
                  choice<Vram>({{"auto", Vram::automatic},
                                {"gpu-only", Vram::gpu_only},
                                {"high", Vram::high},
                                {"normal", Vram::normal},
                                {"low", Vram::low},
                                {"none", Vram::none},
                                {"cpu", Vram::cpu}}),
                  "How ComfyUI uses the GPU's memory."),
            field("args", &ComfyUi::args, command(), "Further arguments, handed on as they are."),
            field("secrets", &ComfyUi::secrets, env_names(),
                  "Those of `secrets` that it gets; absent: all."),
        }};
    return table;
}

namespace {

// It says itself what other keys say of a line.
Row<Model> catalog_entry() {
    const Typed<std::string> name{{.kind = Kind::choice, .choices = catalog_names()}};
    auto row = field("catalog", &Model::catalog, name,
                     "All files of a model of the catalog; `podctl models` lists it.");
    row.field.excludes = {"to",      "name",    "sha256", "layout",
                          "include", "exclude", "unpack", "pickle"};
    return row;
}

}  // namespace

template <>
const Table<Model>& keys_of() {
    static const Table<Model> table{
        "a model",
        {
            field("source", &Model::source, string(formats::line),
                  "hf:ORG/REPO[@REV]/PATH, civitai:MODEL[@VERSION], an AIR, or a URL; "
                  "hf:ORG/REPO and hf:ORG/REPO/FOLDER/ bring all files."),
            catalog_entry(),
            field("to", &Model::to, string(formats::model_folder),
                  "Folder under models/, or an absolute path; absent: from the source's own "
                  "type."),
            field("name", &Model::name, string(formats::file_name),
                  "The file's name; absent: the server's, made safe."),
            field("sha256", &Model::sha256, string(formats::sha256),
                  "Absent: the hub's own, where it gives one."),
            field("layout", &Model::layout,
                  choice<Layout>({{"flat", Layout::flat}, {"civitdl", Layout::civitdl}}),
                  "civitdl: the names that civitdl gives."),
            field("include", &Model::include, list(string(formats::line)),
                  "Of a whole repository or a folder of it: globs of the files to take."),
            field("exclude", &Model::exclude, list(string(formats::line)),
                  "Globs of files that are left out."),
            field("unpack", &Model::unpack, boolean(), "A zip or tar archive, unpacked into `to`."),
            field("pickle", &Model::allow_pickle, choice<bool>({{"allow", true}}),
                  "What is not known to be inert (.ckpt .pt .bin .pkl …) can run code when "
                  "loaded: take it."),
            field("optional", &Model::optional, boolean(), "A failure is a warning."),
        },
        {.short_form = "source", .one_of = {"source", "catalog"}}};
    return table;
}

void read(const Value& value, const Type&, Model& to) {
    const Value* source = value.find("source");
    const Place& place = source ? source->place : value.place;
    if (place.file) to.file = *place.file;
    to.line = place.line;
    to.column = place.column;
    keys_of<Model>().bind(value, to);
    to.sha256 = to_lower(to.sha256);
}

void read(const Value& list, const Type& type, std::vector<Model>& to) {
    for (const ModelLine& line : model_lines(list)) {
        Model& model = to.emplace_back();
        read(line.value, *type.element, model);
        model.key = line.key;
        model.catalog = line.catalog;
    }
}

namespace {

// A key of nodes of one kind. Of another kind it says nothing.
template <typename Kind, typename T>
Row<CustomNode> field_of(std::string_view name, T Kind::*member, const Typed<T>& typed,
                         std::string_view description) {
    return {field(name, member, typed, description).field,
            [member](const Value& value, const Type& type, CustomNode& to) {
                if (auto* source = std::get_if<Kind>(&to.source))
                    read(value, type, source->*member);
            }};
}

}  // namespace

template <>
const Table<CustomNode>& keys_of() {
    static const Table<CustomNode> table{
        "a custom node",
        {
            field_of("git", &GitNode::git, string(formats::git_url), "Cloned from there."),
            field_of("registry", &RegistryNode::id, string(formats::registry_id),
                     "An id of the node registry."),
            field_of("path", &PathNode::path, string(formats::node_path),
                     "A folder or a .py file, copied, and copied again when it changes."),
            field_of("ref", &GitNode::ref, string(formats::git_ref),
                     "Of git: tag, branch or commit."),
            field_of("version", &RegistryNode::version, string(formats::version),
                     "Of registry; absent: the latest."),
            field_of("submodules", &GitNode::submodules, boolean(),
                     "Of git: whether submodules are cloned, too."),
            field("name", &CustomNode::name, string(formats::file_name),
                  "Its folder under custom_nodes/."),
            field("install_script", &CustomNode::install_script, boolean(),
                  "Whether its install.py runs."),
            field("optional", &CustomNode::optional, boolean(),
                  "Where it cannot be had, or its packages not with the others', the pod comes up "
                  "without."),
            field("ignore_requirements", &CustomNode::ignore_requirements,
                  list(string(formats::package_name)),
                  "Packages that it asks for and that are not installed for it."),
        },
        {.short_form = "git", .one_of = {"git", "registry", "path"}}};
    return table;
}

void read(const Value& value, const Type&, CustomNode& to) {
    const auto is_set = [&](std::string_view key) {
        const Value* said = value.find(key);
        return said && !said->is_null();
    };
    if (is_set("registry")) to.source = RegistryNode{};
    if (is_set("path")) to.source = PathNode{};
    keys_of<CustomNode>().bind(value, to);
    if (to.name.empty()) to.name = node_name(value);
}

}  // namespace podctl::tmpl

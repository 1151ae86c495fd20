// Longer than others, since it is the one table of all keys.
#include "table.hpp"

#include "catalog_data.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace podctl::tmpl {
namespace {

Type string(const Format& format) {
    return {.kind = Kind::string, .format = &format};
}
Type text() {
    return {.kind = Kind::text};
}
Type boolean() {
    return {.kind = Kind::boolean};
}
Type size() {
    return {.kind = Kind::size};
}
Type duration() {
    return {.kind = Kind::duration};
}
Type choice(std::vector<std::string> choices) {
    return {.kind = Kind::choice, .choices = std::move(choices)};
}
Type integer(std::int64_t minimum, std::int64_t maximum) {
    return {.kind = Kind::integer, .minimum = minimum, .maximum = maximum};
}
Type port() {
    return integer(1, 65535);
}
Type list(Type element) {
    return {.kind = Kind::list, .element = std::make_shared<const Type>(std::move(element))};
}
Type map(const Format& key_format, Type element) {
    return {.kind = Kind::map,
            .element = std::make_shared<const Type>(std::move(element)),
            .key_format = &key_format};
}
Type mapping(const Shape& shape) {
    return {.kind = Kind::mapping, .shape = &shape};
}

Type command() {
    return list(text());
}
Type requirements() {
    return list(string(formats::requirement));
}
Type names() {
    return list(string(formats::env_name));
}
Type environment() {
    return map(formats::env_name, text());
}

Type ports(std::size_t most) {
    Type type = list(port());
    type.most_items = most;
    type.unique = true;
    return type;
}

const Shape& volume_shape() {
    static const Shape shape{
        .title = "a persistent volume",
        .fields = {
            {"name", string(formats::line), "The platform's name of the volume."},
            {"mount", string(formats::mount), "Where it is mounted; relative paths are under it.",
             "\"/workspace\""},
        }};
    return shape;
}

const Shape& ports_shape() {
    // The platform's proxy takes ten HTTP ports at most.
    static const Shape shape{
        .title = "the pod's ports",
        .fields = {
            {"http", ports(10), "Ports behind the platform's HTTP proxy, at most 10."},
            {"tcp", ports(0), "Ports that are mapped as TCP."},
        }};
    return shape;
}

const Shape& gpu_shape() {
    static const Shape shape{.title = "the GPU that the pod needs",
                             .fields = {
                                 {"count", integer(1, 64), "How many.", "1"},
                                 {"min_vram", size(), "Memory that each must have."},
                             }};
    return shape;
}

const Shape& pod_shape() {
    static const Shape shape{
        .title = "what the platform gives the container",
        .fields = {
            {"image", string(formats::image), "The container's image."},
            {"command", command(), "Start command; empty: the image's own."},
            {"container_disk", size(), "Ephemeral disk."},
            {"volume", mapping(volume_shape()), "The persistent volume."},
            {"ports", mapping(ports_shape()), "The ports that the platform exposes."},
            {"env", environment(), "Environment variables for every child process."},
            {"gpu", mapping(gpu_shape()), "Absent: any machine, a GPU is optional."},
        }};
    return shape;
}

const Shape& repository_shape() {
    static const Shape shape{
        .title = "a repository that the pod needs",
        .fields = {
            {"git", string(formats::git_url), "Where it is cloned from.", {}, true},
            {"ref", string(formats::git_ref), "Tag, branch or commit; absent: the default branch."},
            {"path", string(formats::owned_path), "Where it goes; absent: the repository's name."},
            {"submodules", boolean(), "Whether its submodules are cloned, too.", "true"},
        }};
    return shape;
}

const Shape& python_shape() {
    static const Shape shape{
        .title = "the Python environment",
        .fields = {
            {"interpreter", string(formats::program), "auto, python3.11, or a path.", "\"auto\""},
            {"environment", choice({"venv", "system"}),
             "A venv, or the interpreter's own packages.", "\"venv\""},
            {"path", string(formats::owned_path), "Where the venv is.", "\"venv\""},
            {"inherit", boolean(), "The venv sees the image's own packages.", "true"},
            {"installer", choice({"auto", "uv", "pip"}), "auto: uv when it can be had, else pip.",
             "\"auto\""},
            {"torch", string(formats::torch),
             "auto (from GPU and driver), cpu, cu118 … cu130, or keep (never touch what is there).",
             "\"auto\""},
            {"index_url", string(formats::index_url), "As pip's --index-url."},
            {"extra_index_urls", list(string(formats::index_url)), "As pip's --extra-index-url."},
            {"index_strategy", choice({"first-index", "unsafe-first-match", "unsafe-best-match"}),
             "Of packages that several indexes know; as uv's --index-strategy. pip asks all of "
             "them, whatever it says.",
             "\"first-index\""},
            {"find_links", list(string(formats::requirement)), "As pip's --find-links."},
            {"constraints", requirements(), "Constraints files and plain constraints."},
            {"requirements", requirements(),
             "Requirements files and plain requirements, joined with ComfyUI's and every node's."},
            {"overrides", list(string(formats::line)),
             "Requirements that replace what anybody asks of that package."},
            {"drift", choice({"mend", "keep"}),
             "Of an environment that ComfyUI-Manager or somebody has changed: made anew, or kept.",
             "\"mend\""},
            {"build_secrets", names(),
             "Those of `secrets` that resolvers, builds and install.py see; absent: none."},
        }};
    return shape;
}

const Shape& comfyui_shape() {
    static const Shape shape{
        .title = "ComfyUI",
        .fields = {
            {"source", string(formats::git_url), "Where it is cloned from.",
             "\"https://github.com/comfyanonymous/ComfyUI.git\""},
            {"ref", string(formats::git_ref), "Tag, branch or commit; absent: the default branch."},
            {"path", string(formats::owned_path), "Where it goes.", "\"ComfyUI\""},
            {"port", port(), "The port it serves.", "9000"},
            {"listen", string(formats::listen), "The address it listens on.", "\"0.0.0.0\""},
            {"ready_timeout", duration(), "/system_stats must answer 200 by then.", "\"10m\""},
            {"progress_page", boolean(), "The port shows the provisioning until ComfyUI takes it.",
             "true"},
            {"cors", string(formats::optional_line),
             "The origin that browsers may call from: \"*\"."},
            {"vram", choice({"auto", "gpu-only", "high", "normal", "low", "none", "cpu"}),
             "How ComfyUI uses the GPU's memory.", "\"auto\""},
            {"args", command(), "Further arguments, handed on as they are."},
            {"secrets", names(), "Those of `secrets` that it gets; absent: all."},
        }};
    return shape;
}

const Shape& model_shape() {
    static const Shape shape{
        .title = "a model",
        .fields =
            {
                {"source", string(formats::line),
                 "hf:ORG/REPO[@REV]/PATH, civitai:MODEL[@VERSION], an AIR, or a URL; "
                 "hf:ORG/REPO and hf:ORG/REPO/FOLDER/ bring all files."},
                {"catalog",
                 choice(catalog_names()),
                 "All files of a model of the catalog; `podctl models` lists it.",
                 {},
                 false,
                 {"to", "name", "sha256", "layout", "include", "exclude", "unpack", "pickle"}},
                {"to", string(formats::model_folder),
                 "Folder under models/, or an absolute path; absent: from the source's own type."},
                {"name", string(formats::file_name),
                 "The file's name; absent: the server's, made safe."},
                {"sha256", string(formats::sha256), "Absent: the hub's own, where it gives one."},
                {"layout", choice({"flat", "civitdl"}), "civitdl: the names that civitdl gives.",
                 "\"flat\""},
                {"include", list(string(formats::line)),
                 "Of a whole repository or a folder of it: globs of the files to take."},
                {"exclude", list(string(formats::line)), "Globs of files that are left out."},
                {"unpack", boolean(), "A zip or tar archive, unpacked into `to`.", "false"},
                {"pickle", choice({"allow"}),
                 "What is not known to be inert (.ckpt .pt .bin .pkl …) can run code when loaded: "
                 "take it."},
                {"optional", boolean(), "A failure is a warning.", "false"},
            },
        .short_form = "source",
        .one_of = {"source", "catalog"}};
    return shape;
}

const Shape& custom_node_shape() {
    static const Shape shape{
        .title = "a custom node",
        .fields =
            {
                {"git", string(formats::git_url), "Cloned from there."},
                {"registry", string(formats::registry_id), "An id of the node registry."},
                {"path", string(formats::node_path),
                 "A folder or a .py file, copied, and copied again when it changes."},
                {"ref", string(formats::git_ref), "Of git: tag, branch or commit."},
                {"version", string(formats::version), "Of registry; absent: the latest."},
                {"submodules", boolean(), "Of git: whether submodules are cloned, too.", "true"},
                {"name", string(formats::file_name), "Its folder under custom_nodes/."},
                {"install_script", boolean(), "Whether its install.py runs.", "true"},
                {"optional", boolean(),
                 "Where it cannot be had, or its packages not with the others', the pod comes up "
                 "without.",
                 "false"},
                {"ignore_requirements", list(string(formats::package_name)),
                 "Packages that it asks for and that are not installed for it."},
            },
        .short_form = "git",
        .one_of = {"git", "registry", "path"}};
    return shape;
}

const Shape& ready_shape() {
    static const Shape shape{
        .title = "when a service is ready",
        .fields = {
            {"http", string(formats::http_path), "This path answers; absent: the port listens."},
            {"timeout", duration(), "It must be ready by then.", "\"120s\""},
        }};
    return shape;
}

const Shape& service_shape() {
    Type argv = command();
    argv.least_items = 1;
    static const Shape shape{
        .title = "a further process of the pod",
        .fields = {
            {"name", string(formats::dns_label), "Its name, unlike any other service's.", {}, true},
            {"command", argv, "Program and arguments.", {}, true},
            {"cwd", string(formats::path), "Its working directory; absent: the mount."},
            {"requirements", requirements(), "Present: the service gets a venv of its own."},
            {"port", port(), "The port it serves."},
            {"after", list(string(formats::line)),
             "Started when these are ready: comfyui, or services."},
            {"restart", choice({"never", "on-failure", "always"}), "When it is started again.",
             "\"on-failure\""},
            {"ready", mapping(ready_shape()), "When it is ready; absent: the port listens."},
            {"env", environment(), "Environment variables, added to the pod's."},
            {"secrets", names(), "Those of `secrets` that it gets; absent: all."},
        }};
    return shape;
}

const Shape& smoke_shape() {
    static const Shape shape{.title = "the smoke test",
                             .fields = {
                                 {"workflow", string(formats::path),
                                  "A workflow file; absent: a built-in one that needs no model."},
                                 {"timeout", duration(), "It must be done by then.", "\"120s\""},
                             }};
    return shape;
}

std::string joined(const std::vector<std::string>& words) {
    if (words.size() < 2) return words.empty() ? "" : words.front();
    const std::vector<std::string> first(words.begin(), words.end() - 1);
    return fmt::format("{} or {}", fmt::join(first, ", "), words.back());
}

}  // namespace

const Field* Shape::find(std::string_view name) const {
    const auto found = std::find_if(fields.begin(), fields.end(),
                                    [&](const Field& field) { return field.name == name; });
    return found == fields.end() ? nullptr : &*found;
}

std::vector<std::string> Shape::names() const {
    std::vector<std::string> names;
    for (const auto& field : fields)
        names.push_back(field.name);
    return names;
}

const Shape& catalog_shape() {
    static const Shape task{.title = "a task of the catalog",
                            .fields = {
                                {"name", string(formats::line), "Its name.", {}, true},
                                {"summary", string(formats::line), "What it is.", {}, true},
                            }};
    static const Shape vram{.title = "the GPU memory of a model",
                            .fields = {
                                {"min", size(), "What one gets by with.", {}, true},
                                {"comfortable", size(), "What is enough.", {}, true},
                            }};
    // The keys of a model in a template, and the size.
    static const Shape file = [] {
        Shape shape{.title = "a file of the catalog", .fields = {}};
        for (const char* key : {"source", "to", "name", "sha256", "layout", "unpack", "pickle"}) {
            shape.fields.push_back(*model_shape().find(key));
            shape.fields.back().required = shape.fields.size() <= 2;
        }
        shape.fields.push_back({"size", text(), "Bytes; with a unit: about."});
        return shape;
    }();
    static const Shape entry{
        .title = "a model of the catalog",
        .fields = {
            {"name", string(formats::dns_label), "What a template calls it.", {}, true},
            {"title", string(formats::line), "What people call it.", {}, true},
            {"tasks", map(formats::line, string(formats::line)), "How it does each.", {}, true},
            {"files", list(mapping(file)), "Absent: nothing to fetch."},
            {"vram", mapping(vram), "GPU memory."},
            {"licence", string(formats::line), "Under which it is given.", {}, true},
            {"needs", list(string(formats::dns_label)), "Entries that it goes with."},
            {"custom_nodes", list(string(formats::git_url)), "The packs that load it."},
            {"note", string(formats::line), "What else to know."},
        }};
    static const Shape shape{.title = "the catalog",
                             .fields = {
                                 {"tasks", list(mapping(task)), "In their order.", {}, true},
                                 {"models", list(mapping(entry)), "In their order.", {}, true},
                             }};
    return shape;
}

const Shape& template_shape() {
    static const Shape shape{
        .title = "a pod template",
        .fields = {
            {"apiVersion", choice({"podctl/v1"}), "The version of this format.", {}, true},
            {"name", string(formats::dns_label), "The pod's name.", {}, true},
            {"pod", mapping(pod_shape()), "What the platform gives the container."},
            {"secrets", list(string(formats::env_name)),
             "Names only; the value is $NAME, the content of $NAME_FILE, or /run/secrets/NAME."},
            {"trust", list(string(formats::line)),
             "Sources of models, and packs as registry:ID or registry:ID@VERSION, that are taken "
             "although their hub's scan warns of them or has withdrawn them."},
            {"system_packages", list(string(formats::package)),
             "Packages of the image's package manager."},
            {"repositories", list(mapping(repository_shape())), "Further repositories."},
            {"python", mapping(python_shape()), "The Python environment."},
            {"comfyui", mapping(comfyui_shape()), "Absent: a pod of services alone."},
            {"models", list(mapping(model_shape())), "Models; the short form is a source."},
            {"custom_nodes", list(mapping(custom_node_shape())),
             "Custom nodes; the short form is a git URL."},
            {"services", list(mapping(service_shape())),
             "Further processes, supervised like ComfyUI."},
            {"smoke", mapping(smoke_shape()), "The smoke test."},
            {"mirrors", map(formats::url_prefix, string(formats::mirror_target)),
             "Prefix → prefix, for every clone, download and API call; the longest prefix wins."},
        }};
    return shape;
}

std::string allowed(const Type& type) {
    switch (type.kind) {
        case Kind::string:
            return std::string{type.format->allowed};
        case Kind::text:
            return "text";
        case Kind::integer:
            return fmt::format("an integer from {} to {}", type.minimum, type.maximum);
        case Kind::boolean:
            return "true or false";
        case Kind::size:
            return "a size with its unit: 12GB, 512MiB";
        case Kind::duration:
            return "a duration with its unit: 90s, 2m, 1h30m";
        case Kind::choice:
            return joined(type.choices);
        case Kind::list:
            return "a list";
        case Kind::map:
            return "a mapping";
        case Kind::mapping:
            return type.shape->short_form.empty()
                       ? "a mapping"
                       : "a mapping, or text for " + type.shape->short_form;
    }
    return {};
}

}  // namespace podctl::tmpl

#include "keys.hpp"
#include "paths.hpp"

namespace podctl::tmpl {

template <>
const Table<Volume>& keys_of() {
    static const Table<Volume> table{
        "a persistent volume",
        {
            field("name", &Volume::name, string(formats::line),
                  "The platform's name of the volume."),
            field("mount", &Volume::mount, string(formats::mount),
                  "Where it is mounted; relative paths are under it."),
            field("shared", &Volume::shared, boolean(), "Other pods use it at the same time."),
        }};
    return table;
}

namespace {

Typed<std::vector<std::uint16_t>> ports(std::size_t most) {
    auto typed = list(port());
    typed.type.most_items = most;
    typed.type.unique = true;
    return typed;
}

const Table<Pod>& ports_keys() {
    // The platform's proxy takes ten HTTP ports at most.
    static const Table<Pod> table{
        "the pod's ports",
        {
            field("http", &Pod::http_ports, ports(10),
                  "Ports behind the platform's HTTP proxy, at most 10."),
            field("tcp", &Pod::tcp_ports, ports(0), "Ports that are mapped as TCP."),
        }};
    return table;
}

}  // namespace

template <>
const Table<Gpu>& keys_of() {
    static const Table<Gpu> table{
        "the GPU that the pod needs",
        {
            field("count", &Gpu::count, integer(1, 64), "How many."),
            field("min_vram", &Gpu::min_vram, size(), "Memory that each must have."),
        }};
    return table;
}

template <>
const Table<Shared>& keys_of() {
    static const Table<Shared> table{
        "what the pods on one volume share",
        {
            field("custom_nodes", &Shared::custom_nodes, boolean(),
                  "false: each pod has packs of its own, in its own folder."),
            field("output", &Shared::output, boolean(),
                  "false: each pod writes into a folder of ComfyUI's output that has its host "
                  "name."),
        }};
    return table;
}

template <>
const Table<Pod>& keys_of() {
    static const Table<Pod> table{
        "what the platform gives the container",
        {
            field("image", &Pod::image, string(formats::image), "The container's image."),
            field("command", &Pod::command, command(), "Start command; empty: the image's own."),
            field("container_disk", &Pod::container_disk, size(), "Ephemeral disk."),
            field("volume", &Pod::volume, mapping<Volume>(), "The persistent volume."),
            field("local", &Pod::local, string(formats::mount),
                  "The pod's own folder, on the container's disk; absent: /var/lib/podctl as root, "
                  "else ~/.local/state/podctl."),
            field("shared", &Pod::shared, mapping<Shared>(),
                  "What the pods on one volume have in common beside its models and checkouts."),
            section("ports", ports_keys(), "The ports that the platform exposes."),
            field("env", &Pod::env, environment(),
                  "Environment variables for every child process."),
            field("gpu", &Pod::gpu, mapping<Gpu>(), "Absent: any machine, a GPU is optional."),
        }};
    return table;
}

template <>
const Table<Repository>& keys_of() {
    static const Table<Repository> table{
        "a repository that the pod needs",
        {
            required(field("git", &Repository::git, string(formats::git_url),
                           "Where it is cloned from.")),
            field("ref", &Repository::ref, string(formats::git_ref),
                  "Tag, branch or commit; absent: the default branch."),
            field("path", &Repository::path, string(formats::owned_path),
                  "Where it goes; absent: the repository's name."),
            field("submodules", &Repository::submodules, boolean(),
                  "Whether its submodules are cloned, too."),
        }};
    return table;
}

void read(const Value& value, const Type&, Repository& to) {
    keys_of<Repository>().bind(value, to);
    if (to.path.empty()) to.path = repository_name(to.git);
}

namespace {

// Where the template says nothing it is first-index as a rule, with exceptions that only the room
// python knows, so the struct has a value for that which has no word.
Row<Python> index_strategy() {
    auto row = field("index_strategy", &Python::index_strategy,
                     choice<IndexStrategy>({
                         {"first-index", IndexStrategy::first_index},
                         {"unsafe-first-match", IndexStrategy::unsafe_first_match},
                         {"unsafe-best-match", IndexStrategy::unsafe_best_match},
                     }),
                     "Of packages that several indexes know; as uv's --index-strategy. pip asks "
                     "all of them, whatever it says.");
    row.field.fallback = "\"first-index\"";
    return row;
}

}  // namespace

template <>
const Table<Python>& keys_of() {
    static const Table<Python> table{
        "the Python environment",
        {
            field("interpreter", &Python::interpreter, string(formats::program),
                  "auto, python3.11, or a path."),
            field("environment", &Python::environment,
                  choice<EnvironmentKind>(
                      {{"venv", EnvironmentKind::venv}, {"system", EnvironmentKind::system}}),
                  "A venv, or the interpreter's own packages."),
            field("path", &Python::path, string(formats::owned_path), "Where the venv is."),
            field("disk", &Python::disk,
                  choice<EnvironmentDisk>({{"auto", EnvironmentDisk::automatic},
                                           {"volume", EnvironmentDisk::volume},
                                           {"container", EnvironmentDisk::container}}),
                  "container: the venv is in the pod's own folder, with a snapshot of it on the "
                  "volume, and ComfyUI runs from a copy of its code there; auto: that where the "
                  "volume is slow or shared."),
            field("inherit", &Python::inherit, boolean(),
                  "The venv sees the image's own packages."),
            field("installer", &Python::installer,
                  choice<Installer>({{"auto", Installer::automatic},
                                     {"uv", Installer::uv},
                                     {"pip", Installer::pip}}),
                  "auto: uv when it can be had, else pip."),
            field("torch", &Python::torch, string(formats::torch),
                  "auto (from GPU and driver), cpu, cu118 … cu130, or keep (never touch what is "
                  "there)."),
            field("index_url", &Python::index_url, string(formats::index_url),
                  "As pip's --index-url."),
            field("extra_index_urls", &Python::extra_index_urls, list(string(formats::index_url)),
                  "As pip's --extra-index-url."),
            index_strategy(),
            field("find_links", &Python::find_links, requirements(), "As pip's --find-links."),
            field("constraints", &Python::constraints, requirements(),
                  "Constraints files and plain constraints."),
            field("requirements", &Python::requirements, requirements(),
                  "Requirements files and plain requirements, joined with ComfyUI's and every "
                  "node's."),
            field("overrides", &Python::overrides, list(string(formats::line)),
                  "Requirements that replace what anybody asks of that package."),
            field("drift", &Python::drift,
                  choice<Drift>({{"mend", Drift::mend}, {"keep", Drift::keep}}),
                  "Of an environment that ComfyUI-Manager or somebody has changed: made anew, or "
                  "kept."),
            field("build_secrets", &Python::build_secrets, env_names(),
                  "Those of `secrets` that resolvers, builds and install.py see; absent: none."),
        }};
    return table;
}

}  // namespace podctl::tmpl

#include "bind.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/secret_names.hpp"

#include "catalog_data.hpp"
#include "node_name.hpp"
#include "paths.hpp"
#include "validate.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace podctl::tmpl {
namespace {

template <typename Enum, std::size_t Size>
using Words = std::array<std::pair<std::string_view, Enum>, Size>;

constexpr Words<EnvironmentKind, 2> environment_words{
    {{"venv", EnvironmentKind::venv}, {"system", EnvironmentKind::system}}};
constexpr Words<Installer, 3> installer_words{
    {{"auto", Installer::automatic}, {"uv", Installer::uv}, {"pip", Installer::pip}}};
constexpr Words<IndexStrategy, 3> index_strategy_words{
    {{"first-index", IndexStrategy::first_index},
     {"unsafe-first-match", IndexStrategy::unsafe_first_match},
     {"unsafe-best-match", IndexStrategy::unsafe_best_match}}};
constexpr Words<Drift, 2> drift_words{{{"mend", Drift::mend}, {"keep", Drift::keep}}};
constexpr Words<Vram, 7> vram_words{{{"auto", Vram::automatic},
                                     {"gpu-only", Vram::gpu_only},
                                     {"high", Vram::high},
                                     {"normal", Vram::normal},
                                     {"low", Vram::low},
                                     {"none", Vram::none},
                                     {"cpu", Vram::cpu}}};
constexpr Words<Layout, 2> layout_words{{{"flat", Layout::flat}, {"civitdl", Layout::civitdl}}};
constexpr Words<Restart, 3> restart_words{
    {{"never", Restart::never}, {"on-failure", Restart::on_failure}, {"always", Restart::always}}};

// The value of a key that is set; nullptr: absent, or there without a value.
const Value* given(const Value& mapping, std::string_view key) {
    const Value* value = mapping.find(key);
    return value && !value->is_null() ? value : nullptr;
}

void read(const Value& mapping, std::string_view key, std::string& to) {
    if (const Value* value = given(mapping, key)) to = value->text;
}

void read(const Value& mapping, std::string_view key, bool& to) {
    if (const Value* value = given(mapping, key)) to = read_boolean(value->text).value();
}

void read(const Value& mapping, std::string_view key, int& to) {
    if (const Value* value = given(mapping, key))
        to = static_cast<int>(read_integer(value->text).value());
}

void read(const Value& mapping, std::string_view key, milliseconds& to) {
    if (const Value* value = given(mapping, key)) to = read_duration(value->text).value();
}

void read(const Value& mapping, std::string_view key, std::optional<Bytes>& to) {
    if (const Value* value = given(mapping, key)) to = read_size(value->text).value();
}

void read(const Value& mapping, std::string_view key, std::vector<std::string>& to) {
    const Value* list = given(mapping, key);
    if (!list) return;
    for (const Value& item : list->items)
        to.push_back(item.text);
}

void read(const Value& mapping, std::string_view key, std::map<std::string, std::string>& to) {
    const Value* map = given(mapping, key);
    if (!map) return;
    for (const Entry& entry : map->entries)
        to[entry.key] = entry.value.text;
}

std::uint16_t port_of(const Value& value) {
    return static_cast<std::uint16_t>(read_integer(value.text).value());
}

void read(const Value& mapping, std::string_view key, std::uint16_t& to) {
    if (const Value* value = given(mapping, key)) to = port_of(*value);
}

void read(const Value& mapping, std::string_view key, std::vector<std::uint16_t>& to) {
    const Value* list = given(mapping, key);
    if (!list) return;
    for (const Value& item : list->items)
        to.push_back(port_of(item));
}

template <typename Enum, std::size_t Size>
void read(const Value& mapping, std::string_view key, Enum& to, const Words<Enum, Size>& words) {
    const Value* value = given(mapping, key);
    if (!value) return;
    const auto found = std::find_if(words.begin(), words.end(),
                                    [&](const auto& word) { return word.first == value->text; });
    if (found != words.end()) to = found->second;
}

// What stands for an absent section: a mapping without keys.
const Value& section(const Value& mapping, std::string_view key) {
    static const Value empty{Value::Type::mapping, {}};
    const Value* value = given(mapping, key);
    return value ? *value : empty;
}

Pod bind_pod(const Value& value) {
    Pod pod;
    read(value, "image", pod.image);
    read(value, "command", pod.command);
    read(value, "container_disk", pod.container_disk);
    read(section(value, "volume"), "name", pod.volume.name);
    read(section(value, "volume"), "mount", pod.volume.mount);
    read(section(value, "ports"), "http", pod.http_ports);
    read(section(value, "ports"), "tcp", pod.tcp_ports);
    read(value, "env", pod.env);
    if (const Value* gpu = value.find("gpu")) {
        pod.gpu.emplace();
        read(*gpu, "count", pod.gpu->count);
        read(*gpu, "min_vram", pod.gpu->min_vram);
    }
    return pod;
}

Repository bind_repository(const Value& value) {
    Repository repository;
    read(value, "git", repository.git);
    read(value, "ref", repository.ref);
    repository.path = repository_name(repository.git);
    read(value, "path", repository.path);
    read(value, "submodules", repository.submodules);
    return repository;
}

Python bind_python(const Value& value) {
    Python python;
    read(value, "interpreter", python.interpreter);
    read(value, "environment", python.environment, environment_words);
    read(value, "path", python.path);
    read(value, "inherit", python.inherit);
    read(value, "installer", python.installer, installer_words);
    read(value, "torch", python.torch);
    read(value, "index_url", python.index_url);
    read(value, "extra_index_urls", python.extra_index_urls);
    read(value, "index_strategy", python.index_strategy, index_strategy_words);
    read(value, "find_links", python.find_links);
    read(value, "constraints", python.constraints);
    read(value, "requirements", python.requirements);
    read(value, "overrides", python.overrides);
    read(value, "drift", python.drift, drift_words);
    read(value, "build_secrets", python.build_secrets);
    return python;
}

ComfyUi bind_comfyui(const Value& value) {
    ComfyUi comfyui;
    read(value, "source", comfyui.source);
    read(value, "ref", comfyui.ref);
    read(value, "path", comfyui.path);
    read(value, "port", comfyui.port);
    read(value, "listen", comfyui.listen);
    read(value, "ready_timeout", comfyui.ready_timeout);
    read(value, "progress_page", comfyui.progress_page);
    read(value, "cors", comfyui.cors);
    read(value, "vram", comfyui.vram, vram_words);
    read(value, "args", comfyui.args);
    if (given(value, "secrets")) read(value, "secrets", comfyui.secrets.emplace());
    return comfyui;
}

Model bind_model(const Value& value) {
    Model model;
    const Value* source = value.is_scalar() ? &value : value.find("source");
    const Place& place = source ? source->place : value.place;
    if (place.file) model.file = *place.file;
    model.line = place.line;
    model.column = place.column;
    if (value.is_scalar()) {
        model.source = value.text;
        return model;
    }
    read(value, "source", model.source);
    read(value, "to", model.to);
    read(value, "name", model.name);
    read(value, "sha256", model.sha256);
    model.sha256 = to_lower(model.sha256);
    read(value, "layout", model.layout, layout_words);
    read(value, "include", model.include);
    read(value, "exclude", model.exclude);
    read(value, "unpack", model.unpack);
    model.allow_pickle = given(value, "pickle") != nullptr;
    read(value, "optional", model.optional);
    return model;
}

std::vector<Model> bind_models(const Value& list) {
    std::vector<Model> models;
    for (const ModelLine& line : model_lines(list)) {
        Model& model = models.emplace_back(bind_model(line.value));
        model.key = line.key;
        model.catalog = line.catalog;
    }
    return models;
}

GitNode bind_git_node(const Value& value) {
    GitNode node;
    read(value, "git", node.git);
    read(value, "ref", node.ref);
    read(value, "submodules", node.submodules);
    return node;
}

CustomNode bind_node(const Value& value) {
    CustomNode node;
    node.name = node_name(value);
    if (value.is_scalar()) {
        node.source = GitNode{.git = value.text, .ref = {}};
        return node;
    }
    read(value, "install_script", node.install_script);
    read(value, "optional", node.optional);
    read(value, "ignore_requirements", node.ignore_requirements);
    if (given(value, "git")) {
        node.source = bind_git_node(value);
    } else if (given(value, "registry")) {
        RegistryNode registry;
        read(value, "registry", registry.id);
        read(value, "version", registry.version);
        node.source = registry;
    } else {
        PathNode path;
        read(value, "path", path.path);
        node.source = path;
    }
    return node;
}

Service bind_service(const Value& value) {
    Service service;
    read(value, "name", service.name);
    read(value, "command", service.command);
    read(value, "cwd", service.cwd);
    if (given(value, "requirements")) read(value, "requirements", service.requirements.emplace());
    if (const Value* port = given(value, "port")) service.port = port_of(*port);
    read(value, "after", service.after);
    read(value, "restart", service.restart, restart_words);
    read(section(value, "ready"), "http", service.ready.http);
    read(section(value, "ready"), "timeout", service.ready.timeout);
    read(value, "env", service.env);
    if (given(value, "secrets")) read(value, "secrets", service.secrets.emplace());
    return service;
}

// What the values of a tree hold of the environment.
void gather(const Value& value, Template& result) {
    const auto text = trim(value.text);
    if (value.from_environment && !text.empty()) result.from_environment.emplace(text);
    for (const auto& hidden : value.hidden)
        if (is_worth_hiding(hidden)) result.hidden.emplace_back(hidden);
    for (const Value& item : value.items)
        gather(item, result);
    for (const Entry& entry : value.entries)
        gather(entry.value, result);
}

// The names of an `env` that hold a secret.
std::set<std::string> secrets_among(const Value& env, Template& result) {
    std::set<std::string> names;
    for (const auto& [name, place, value] : env.entries) {
        const bool listed =
            std::find(result.secrets.begin(), result.secrets.end(), name) != result.secrets.end();
        if (!value.secret && !listed && !names_a_secret(name)) continue;
        names.insert(name);
        if (is_worth_hiding(value.text)) result.hidden.emplace_back(value.text);
    }
    return names;
}

template <typename Item, typename Bind>
std::vector<Item> bind_list(const Value& root, std::string_view key, Bind bind_item) {
    std::vector<Item> items;
    for (const Value& item : section(root, key).items)
        items.push_back(bind_item(item));
    return items;
}

}  // namespace

Template bind(const Value& root) {
    Template result;
    read(root, "name", result.name);
    result.pod = bind_pod(section(root, "pod"));
    read(root, "secrets", result.secrets);
    gather(root, result);
    result.pod.secret_env = secrets_among(section(section(root, "pod"), "env"), result);
    for (const Value& service : section(root, "services").items)
        secrets_among(section(service, "env"), result);
    read(root, "trust", result.trust);
    read(root, "system_packages", result.system_packages);
    result.repositories = bind_list<Repository>(root, "repositories", bind_repository);
    result.python = bind_python(section(root, "python"));
    if (const Value* comfyui = root.find("comfyui")) result.comfyui = bind_comfyui(*comfyui);
    result.models = bind_models(section(root, "models"));
    result.custom_nodes = bind_list<CustomNode>(root, "custom_nodes", bind_node);
    result.services = bind_list<Service>(root, "services", bind_service);
    read(section(root, "smoke"), "workflow", result.smoke.workflow);
    read(section(root, "smoke"), "timeout", result.smoke.timeout);
    for (const Entry& entry : section(root, "mirrors").entries) {
        result.mirrors.emplace_back(entry.key, entry.value.text);
    }
    return result;
}

}  // namespace podctl::tmpl

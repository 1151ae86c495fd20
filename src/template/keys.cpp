#include "keys.hpp"

namespace podctl::tmpl {

template <>
const Table<Ready>& keys_of() {
    static const Table<Ready> table{
        "when a service is ready",
        {
            field("http", &Ready::http, string(formats::http_path),
                  "This path answers; absent: the port listens."),
            field("timeout", &Ready::timeout, duration(), "It must be ready by then."),
        }};
    return table;
}

namespace {

Typed<std::vector<std::string>> program_and_arguments() {
    auto typed = command();
    typed.type.least_items = 1;
    return typed;
}

}  // namespace

template <>
const Table<Service>& keys_of() {
    static const Table<Service> table{
        "a further process of the pod",
        {
            required(field("name", &Service::name, string(formats::dns_label),
                           "Its name, unlike any other service's.")),
            required(field("command", &Service::command, program_and_arguments(),
                           "Program and arguments.")),
            field("cwd", &Service::cwd, string(formats::path),
                  "Its working directory; absent: the mount."),
            field("requirements", &Service::requirements, requirements(),
                  "Present: the service gets a venv of its own."),
            field("port", &Service::port, port(), "The port it serves."),
            field("after", &Service::after, list(string(formats::line)),
                  "Started when these are ready: comfyui, or services."),
            field("restart", &Service::restart,
                  choice<Restart>({{"never", Restart::never},
                                   {"on-failure", Restart::on_failure},
                                   {"always", Restart::always}}),
                  "When it is started again."),
            field("ready", &Service::ready, mapping<Ready>(),
                  "When it is ready; absent: the port listens."),
            field("env", &Service::env, environment(),
                  "Environment variables, added to the pod's."),
            field("secrets", &Service::secrets, env_names(),
                  "Those of `secrets` that it gets; absent: all."),
        }};
    return table;
}

template <>
const Table<Smoke>& keys_of() {
    static const Table<Smoke> table{
        "the smoke test",
        {
            field("workflow", &Smoke::workflow, string(formats::path),
                  "A workflow file; absent: a built-in one that needs no model."),
            field("timeout", &Smoke::timeout, duration(), "It must be done by then."),
        }};
    return table;
}

template <>
const Table<Store>& keys_of() {
    static const Table<Store> table{
        "a store of models",
        {
            required(field("path", &Store::path, string(formats::store_path),
                           "Its folder, made where it is not there. "
                           "PODCTL_STORE and --store win.")),
        }};
    return table;
}

namespace {

// The one key that says nothing of the pod.
Row<Template> api_version() {
    Row<Template> row{.field = {.name = "apiVersion",
                                .type = {.kind = Kind::choice, .choices = {"podctl/v1"}},
                                .description = "The version of this format."},
                      .bind = [](const Value&, const Type&, Template&) {}};
    return required(std::move(row));
}

}  // namespace

template <>
const Table<Template>& keys_of() {
    static const Table<Template> table{
        "a pod template",
        {
            api_version(),
            required(field("name", &Template::name, string(formats::dns_label), "The pod's name.")),
            field("pod", &Template::pod, mapping<Pod>(), "What the platform gives the container."),
            field("store", &Template::store, mapping<Store>(),
                  "Where models are kept by their sha256 and linked from, for all roots that name "
                  "it; absent: each root has its own."),
            field("secrets", &Template::secrets, env_names(),
                  "Names only; the value is $NAME, the content of $NAME_FILE, or "
                  "/run/secrets/NAME."),
            field("trust", &Template::trust, list(string(formats::line)),
                  "Sources of models, and packs as registry:ID or registry:ID@VERSION, that are "
                  "taken although their hub's scan warns of them or has withdrawn them."),
            field("system_packages", &Template::system_packages, list(string(formats::package)),
                  "Packages of the image's package manager."),
            field("repositories", &Template::repositories, list(mapping<Repository>()),
                  "Further repositories."),
            field("python", &Template::python, mapping<Python>(), "The Python environment."),
            field("comfyui", &Template::comfyui, mapping<ComfyUi>(),
                  "Absent: a pod of services alone."),
            field("models", &Template::models, list(mapping<Model>()),
                  "Models; the short form is a source."),
            field("custom_nodes", &Template::custom_nodes, list(mapping<CustomNode>()),
                  "Custom nodes; the short form is a git URL."),
            field("services", &Template::services, list(mapping<Service>()),
                  "Further processes, supervised like ComfyUI."),
            field("smoke", &Template::smoke, mapping<Smoke>(), "The smoke test."),
            field("mirrors", &Template::mirrors,
                  pairs(formats::url_prefix, string(formats::mirror_target)),
                  "Prefix → prefix, for every clone, download and API call; the longest prefix "
                  "wins."),
        }};
    return table;
}

const Shape& template_shape() {
    return keys_of<Template>().shape();
}

}  // namespace podctl::tmpl

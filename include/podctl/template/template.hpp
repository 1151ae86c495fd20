#pragma once

#include "podctl/base/secret.hpp"
#include "podctl/base/units.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// A pod template (spec §2) as values. Every default of the spec is filled in; paths are as the
// template gives them (relative ones are under the mount).
namespace podctl::tmpl {

// ComfyUI among the services of a pod, whose names nobody else has.
constexpr std::string_view comfyui_service = "comfyui";

using std::chrono::milliseconds;

struct Volume {
    std::string name;
    std::string mount = "/workspace";
    bool shared = false;  // other pods use it at the same time
};

// What the pods on one volume have in common beside its models and checkouts.
struct Shared {
    bool custom_nodes = true;
    bool output = true;
};

struct Gpu {
    int count = 1;
    std::optional<Bytes> min_vram;
};

struct Pod {
    std::string image;
    std::vector<std::string> command;
    std::optional<Bytes> container_disk;
    Volume volume;
    std::string local;  // the pod's own folder; empty: by default
    Shared shared;
    std::vector<std::uint16_t> http_ports;
    std::vector<std::uint16_t> tcp_ports;
    std::map<std::string, std::string> env;
    // Names in `env` that hold a secret: by their name, or by a variable in their value.
    std::set<std::string> secret_env;
    std::optional<Gpu> gpu;
};

struct Repository {
    std::string git;
    std::string ref;  // empty: the default branch
    std::string path;
    bool submodules = true;
};

enum class EnvironmentKind { venv, system };
enum class Installer { automatic, uv, pip };
// How far a package is looked for that several indexes know; the words are uv's.
enum class IndexStrategy { automatic, first_index, unsafe_first_match, unsafe_best_match };

// Where environments are: on the volume, or on the container's own disk.
enum class EnvironmentDisk { automatic, volume, container };

// What is done about an environment that others have changed.
enum class Drift { mend, keep };

struct Python {
    std::string interpreter = "auto";
    EnvironmentKind environment = EnvironmentKind::venv;
    std::string path = "venv";
    EnvironmentDisk disk = EnvironmentDisk::automatic;
    bool inherit = true;
    Installer installer = Installer::automatic;
    std::string torch = "auto";  // auto | cpu | cu118 … cu130 | keep
    std::string index_url;
    std::vector<std::string> extra_index_urls;
    IndexStrategy index_strategy = IndexStrategy::automatic;
    std::vector<std::string> find_links;
    std::vector<std::string> constraints;   // files and plain constraints
    std::vector<std::string> requirements;  // files and plain requirements
    std::vector<std::string> overrides;
    Drift drift = Drift::mend;
    std::vector<std::string> build_secrets;  // those that resolvers, builds and scripts see
};

enum class Vram { automatic, gpu_only, high, normal, low, none, cpu };

struct ComfyUi {
    std::string source = "https://github.com/comfyanonymous/ComfyUI.git";
    std::string ref;
    std::string path = "ComfyUI";
    std::uint16_t port = 9000;
    std::string listen = "0.0.0.0";
    milliseconds ready_timeout{600'000};
    bool progress_page = true;
    std::string cors;  // empty: no header
    Vram vram = Vram::automatic;
    std::vector<std::string> args;
    std::optional<std::vector<std::string>> secrets;  // those it gets; absent: all
};

enum class Layout { flat, civitdl };

struct Model {
    std::string source;
    // Where the source stands, for what only other rooms can say of it.
    std::string file;
    int line = 0, column = 0;
    std::string key;      // models[2], as the template counts: an entry of the catalog is one
    std::string catalog;  // the entry that it is a file of; empty: it is the template's own
    std::string to;       // folder under models/, or an absolute path; empty: the source's own type
    std::string name;     // empty: the server's name
    std::string sha256;   // lower case; empty: the hub's own
    Layout layout = Layout::flat;
    // Of a repository or a folder of one: globs of the files that are taken, and of those that are
    // not. Absent: all.
    std::vector<std::string> include, exclude;
    bool unpack = false;
    bool allow_pickle = false;
    bool optional = false;
};

struct GitNode {
    std::string git;
    std::string ref;
    bool submodules = true;
};
struct RegistryNode {
    std::string id;
    std::string version;  // empty: the latest
};
// A folder, or a single .py file; an absolute one outside the mount is the image's.
struct PathNode {
    std::string path;
};

struct CustomNode {
    std::variant<GitNode, RegistryNode, PathNode> source;
    std::string name;  // its folder under custom_nodes/
    bool install_script = true;
    bool optional = false;                         // the pod comes up without it where it has to
    std::vector<std::string> ignore_requirements;  // packages whose lines are passed over
};

enum class Restart { never, on_failure, always };

struct Ready {
    std::string http;  // path; empty: the port listens
    milliseconds timeout{120'000};
};

struct Service {
    std::string name;
    std::vector<std::string> command;
    std::string cwd;                                       // empty: the mount
    std::optional<std::vector<std::string>> requirements;  // present: a venv of its own
    std::optional<std::uint16_t> port;
    std::vector<std::string> after;
    Restart restart = Restart::on_failure;
    Ready ready;
    std::map<std::string, std::string> env;
    std::optional<std::vector<std::string>> secrets;  // those it gets; absent: all
};

struct Smoke {
    std::string workflow;  // empty: the built-in one
    milliseconds timeout{120'000};
};

struct Store {
    std::string path;
};

struct Template {
    std::string name;
    Pod pod;
    std::optional<Store> store;
    std::vector<std::string> secrets;
    std::vector<std::string> trust;  // against their hubs' verdicts: sources, registry:ID[@VERSION]
    std::vector<std::string> system_packages;
    std::vector<Repository> repositories;
    Python python;
    std::optional<ComfyUi> comfyui;
    std::vector<Model> models;
    std::vector<CustomNode> custom_nodes;
    std::vector<Service> services;
    Smoke smoke;
    std::vector<std::pair<std::string, std::string>> mirrors;
    // Those of `mirrors` that the user named beside the template (--mirror and the environment),
    // who may see tokens even when nothing is done yet. A template brings none.
    std::vector<std::pair<std::string, std::string>> users_mirrors;
    // The values, whole, that hold a variable of podctl's environment. Whoever only looks sends
    // them nowhere (spec §6).
    std::set<std::string> from_environment;
    // What no output may show beside the values of `secrets`: other secrets in environments, and
    // variables in the queries of URLs.
    std::vector<Secret> hidden;
};

}  // namespace podctl::tmpl

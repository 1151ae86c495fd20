#pragma once

#include "podctl/base/units.hpp"
#include "podctl/comfy/code_copy.hpp"
#include "podctl/git/git.hpp"
#include "podctl/hub/folder.hpp"
#include "podctl/hub/resolve.hpp"
#include "podctl/hub/source.hpp"
#include "podctl/template/template.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// What has to be done for a template, as values. Nothing here touches the disk or the network.
namespace podctl::plan {

// What of a pod is on the container's own disk, and not on the volume (spec §7).
struct OwnDisk {
    // The pod's own folder, of this pod alone. Empty: there is none beside <root>/.podctl.
    std::filesystem::path folder = {};
    enum class Environments { on_volume, in_own_folder } environments = Environments::on_volume;
};

// Where everything of a pod lies; all absolute.
struct Places {
    std::filesystem::path root;  // the volume's mount, or --root

    // What outlives the pod, on the volume.
    std::filesystem::path state;            // <root>/.podctl
    std::filesystem::path journal;          // of what lies on the volume
    std::filesystem::path lock;             // of who changes what lies on the volume
    std::filesystem::path partial;          // bytes of downloads that are under way
    std::filesystem::path staging;          // checkouts and archives that are under way
    std::filesystem::path replaced;         // what --force moved out of the way
    std::filesystem::path resolved;         // what requirements were resolved to, by their digest
    std::filesystem::path snapshots;        // of environments in pods' own folders
    std::filesystem::path comfyui, models;  // empty without comfyui

    // On either disk (tmpl::Shared): where ComfyUI looks for its folders, and has its packs.
    std::filesystem::path base, custom_nodes;  // empty without comfyui

    // What is this pod's alone and goes with its container.
    std::filesystem::path own;       // the pod's own folder
    std::filesystem::path own_lock;  // of the one podctl that runs the pod
    std::filesystem::path logs, pids;

    // On either disk (OwnDisk::Environments), together.
    std::filesystem::path environments_journal;  // of the environments; may be `journal`
    std::filesystem::path environment;           // ComfyUI's
    std::filesystem::path service_environments;  // a folder with one for each service
    std::filesystem::path cache, tools;          // the installer's cache; uv
    std::filesystem::path locks;                 // what each environment was resolved to
    std::filesystem::path scratch;               // of resolvers and builds; may be `staging`

    // Where a copy of ComfyUI's code is that it runs from; empty: it runs from its checkout. With
    // the environments, since a disk that is slow for them is slow for it.
    std::filesystem::path code;

    bool keeps_environments_on_volume() const { return environments_journal == journal; }
    // False: packs are this pod's alone, and what is known of them is in environments_journal.
    bool keeps_custom_nodes_on_volume() const { return base == comfyui; }

    // For what is renamed to `path`, or moved away from it: on the same disk.
    const std::filesystem::path& staging_of(const std::filesystem::path& path) const;
    std::filesystem::path replaced_of(const std::filesystem::path& path) const;
};
Places places_of(const tmpl::Template& pod, const std::filesystem::path& root,
                 const OwnDisk& own = {});

// A path of the template, under the root. One that is absolute and inside pod.volume.mount is moved
// to the root, so that --root stands in for the mount.
std::filesystem::path under_root(const tmpl::Template& pod, const std::filesystem::path& root,
                                 const std::string& path);

// Where the environment of a service with requirements of its own is.
std::filesystem::path service_environment(const Places& places, const std::string& service);

// A requirement of the template that names a file, as against `numpy>=2`.
bool is_requirement_file(std::string_view requirement);

// The template's packs, by their folders' names under custom_nodes/.
struct Packs {
    std::set<std::string> names, optional;
    // The packages whose lines are passed over.
    std::map<std::string, std::vector<std::string>> ignored_requirements;
};

// One Python environment and everything that decides what is in it.
struct EnvironmentSpec {
    std::string name;             // "python", or "service:<name>"
    tmpl::Python settings;        // interpreter, installer, indexes, overrides, …
    std::filesystem::path path;   // where it is
    std::filesystem::path named;  // where the template has it: the same on every pod's own disk
    std::vector<std::filesystem::path> requirement_files;
    std::vector<std::string> requirement_lines;
    std::vector<std::filesystem::path> constraint_files;
    std::vector<std::string> constraint_lines;
    std::filesystem::path comfyui;       // empty: not ComfyUI's environment
    std::filesystem::path custom_nodes;  // every pack's requirement files count; empty: none
    // Shared by all steps of the environment, of which there is one for each pack.
    std::shared_ptr<const Packs> packs = std::make_shared<const Packs>();
    // Packs whose requirement files do not count: they could not be resolved with the others.
    std::set<std::string> left_out;
    bool hold_torch = true;  // an inherited torch stays as it is
};

struct Preflight {
    std::vector<std::string> system_packages;
    std::optional<tmpl::Gpu> gpu;
};
struct SystemPackages {
    std::vector<std::string> names;
};
enum class CloneKind { repository, comfyui, custom_node };
struct Clone {
    CloneKind kind = CloneKind::repository;
    std::string url, ref;
    std::filesystem::path path;
    git::Submodules submodules = git::Submodules::yes;
};
struct RegistryNode {
    std::string id, version;
    std::filesystem::path path;
    std::vector<std::string> trust = {};  // the template's
};
struct CopyNode {
    std::filesystem::path from, path;
};
// Where ComfyUI finds its folders when its packs are not its checkout's: links to all of the
// checkout but those.
struct LinkBase {
    std::filesystem::path checkout, base;
};
// ComfyUI's code on the container's disk (comfy::sync_code), brought while other steps run. It is
// made equal to the checkout again before each start.
struct CopyCode {
    comfy::CodeCopy code;
};
struct FetchModel {
    hub::Source source;
    std::optional<hub::ResolvedFile> resolved;  // absent: the hub could not be asked beforehand
    std::string folder;        // as the template gives it; empty: by the source's type
    std::string name, sha256;  // as the template gives them
    tmpl::Layout layout = tmpl::Layout::flat;
    bool unpack = false, allow_pickle = false;
    bool trusted = false;          // whatever its hub has against it
    std::filesystem::path target;  // the file, or with unpack the folder; empty until resolved
};
// All files of a repository of a hub, or of a folder of it: one step.
struct FetchFolder {
    hub::Source source;
    hub::Globs globs;
    std::optional<hub::Folder> listing;  // of all; absent: the hub could not be asked beforehand
    bool allow_pickle = false;
    std::filesystem::path target;  // the folder that they go into

    // Those of a listing that the globs choose; it may be none.
    hub::Folder chosen(const hub::Folder& all) const;
    // The file as a model by itself.
    FetchModel model_of(const hub::FolderFile& file) const;
};
struct CreateEnvironment {
    EnvironmentSpec spec;
};
struct ResolveEnvironment {
    EnvironmentSpec spec;
};
struct InstallEnvironment {
    EnvironmentSpec spec;
};
// All three at once, for a service's own environment.
struct BuildEnvironment {
    EnvironmentSpec spec;
};
struct InstallScript {
    std::filesystem::path pack;
    EnvironmentSpec spec;
};

using Action =
    std::variant<Preflight, SystemPackages, Clone, RegistryNode, CopyNode, LinkBase, CopyCode,
                 FetchModel, FetchFolder, CreateEnvironment, ResolveEnvironment, InstallEnvironment,
                 BuildEnvironment, InstallScript>;

// Steps of one lane share its limit. Downloads have one of their own: what they share is the
// network, and nothing that they wait for can be queued behind them.
enum class Lane { work, download };

struct Step {
    std::string id;
    Action action;
    std::vector<std::string> needs = {};  // ids that must be done before it starts
    std::vector<std::string> after = {};  // ids that must have ended before it starts, in any way
    // Downloads: ids that must be done before their files are placed.
    std::vector<std::string> placed_after = {};
    std::string exclusive = {};    // no two steps of the same one at once; empty: none
    std::string fingerprint = {};  // changes when what is asked for changes
    bool optional = false;
};

bool is_download(const Step& step);  // of models
Lane lane_of(const Step& step);

// Where the bytes of a step's models go: the file, or the folder that an archive is unpacked into,
// or each file of a repository that the globs choose. Empty: the step brings none; nullopt: only
// its hub knows.
std::optional<std::vector<std::filesystem::path>> model_places(const Step& step);

// The environment that a step makes, resolves or installs; nullptr: none, or it only runs in one.
const EnvironmentSpec* environment_of(const Step& step);
// The same, and the one that the step runs a script in.
const EnvironmentSpec* environment_changed_by(const Step& step);
// The same of the one step of each environment that resolves it, and of the one that installs it:
// they are the same step for a service's own environment.
const EnvironmentSpec* resolved_by(const Step& step);
const EnvironmentSpec* installed_by(const Step& step);

// Whether what is known of the step goes with the container, and not with the volume.
bool is_recorded_on_own_disk(const Step& step, const Places& places);
// Whether what lies on the volume changes by it. A pack's install.py may write into its pack.
bool changes_volume(const Step& step, const Places& places);

struct Plan {
    Places places;
    std::vector<Step> steps;  // each behind all that it needs
    bool is_part = false;     // only() has left steps of the template out

    const Step* find(std::string_view id) const;
};

// What the hubs said, by Source::text: of files, and of folders.
using Resolutions = std::map<std::string, hub::ResolvedFile>;
using Listings = std::map<std::string, hub::Folder>;

// The steps of a template (spec §4 has their ids). Throws Error{template_} when two models would
// stand at one path, which may show only when the hubs have given the names.
Plan build_plan(const tmpl::Template& pod, const Places& places, const Resolutions& resolutions,
                const Listings& listings = {});

// Throws Error{template_} when a model's keys do not go with its source: what is of a folder's
// files is not of one file, and the other way round.
void check_keys(const tmpl::Model& model, const hub::Source& source);

// The parts of a model's place that are known: sets target. Called again once a late resolution is
// there. Throws Error{template_} when neither the template nor the hub says which folder.
void place_model(FetchModel& model, const Places& places);

// The step's id for a model: model:<path under models/>. `target` is empty until it is known.
std::string model_step_id(const hub::Source& source, const std::filesystem::path& target,
                          const Places& places);

// The steps named and all that they need. Throws Error{usage} with what was perhaps meant.
Plan only(const Plan& plan, std::span<const std::string> ids);

// What a step would do now; remove: of something that no step names any more.
enum class Change { keep, create, change, remove };
struct Assessment {
    std::string step;
    Change change = Change::create;
    std::string reason;
    std::optional<Bytes> download = {};  // of a download, when the hub or the server says so
    Bytes disk = {};   // that it needs on the volume, beside what it holds already
    Bytes store = {};  // the same on the disk of the store of models, where that is another one
    std::optional<std::size_t> packages = {};  // of an environment, where its lock is known
};

// What has to be fetched. No git server, and no lock, says how large its bytes are.
struct Bill {
    Bytes download;           // as far as it is known
    Bytes disk;               // what will lie on the volume in addition, at least
    Bytes store;              // the same on the store's disk, where that is another one
    std::size_t unknown = 0;  // steps whose size nobody knows; of these:
    std::size_t models = 0, repositories = 0, archives = 0, environments = 0;
    std::size_t packages = 0;  // of those environments whose lock is known
};
Bill bill_of(const Plan& plan, std::span<const Assessment> assessments);

}  // namespace podctl::plan

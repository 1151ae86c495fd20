#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/plan/plan.hpp"

namespace podctl::plan {

namespace fs = std::filesystem;

fs::path under_root(const tmpl::Template& pod, const fs::path& root, const std::string& path) {
    fs::path given{path};
    if (given.is_absolute()) {
        const fs::path mount{pod.pod.volume.mount};
        if (!is_inside(given, mount)) return given.lexically_normal();
        given = given.lexically_relative(mount);
    }
    fs::path whole = (root / given).lexically_normal();
    // "root/." and "root/a/" name the folder itself.
    if (!whole.has_filename()) whole = whole.parent_path();
    return whole;
}

Places places_of(const tmpl::Template& pod, const fs::path& root, const OwnDisk& own) {
    Places places;
    places.root = root;
    places.state = root / ".podctl";
    places.journal = places.state / "journal.jsonl";
    places.lock = places.state / "lock";
    places.partial = places.state / "partial";
    places.staging = places.state / "staging";
    places.replaced = places.state / "replaced";
    places.resolved = places.state / "environments/resolved";
    places.snapshots = places.state / "environments";
    if (pod.comfyui) {
        places.comfyui = under_root(pod, root, pod.comfyui->path);
        places.models = places.comfyui / "models";
    }
    places.own = own.folder.empty() ? places.state : own.folder;
    places.own_lock = places.own / "pod.lock";
    places.logs = places.own / "logs";
    places.pids = places.own / "pod.json";
    const bool here = own.environments == OwnDisk::Environments::in_own_folder;
    if (pod.comfyui) {
        // Other packs want other packages.
        places.base =
            here && !pod.pod.shared.custom_nodes ? places.own / "comfyui" : places.comfyui;
        places.custom_nodes = places.base / "custom_nodes";
        if (here) places.code = places.own / "code";
    }
    const fs::path& disk = here ? places.own : places.state;
    places.environments_journal = disk / "journal.jsonl";
    places.environment =
        here ? places.own / "venvs/python" : under_root(pod, root, pod.python.path);
    places.service_environments = disk / (here ? "venvs/services" : "venvs");
    places.cache = disk / "cache";
    places.tools = disk / "tools";
    places.locks = disk / "environments";
    places.scratch = disk / "staging";
    return places;
}

const fs::path& Places::staging_of(const fs::path& path) const {
    return own != state && is_inside(path, own) ? scratch : staging;
}

fs::path Places::replaced_of(const fs::path& path) const {
    return own != state && is_inside(path, own) ? own / "replaced" : replaced;
}

fs::path service_environment(const Places& places, const std::string& service) {
    return places.service_environments / service;
}

bool is_requirement_file(std::string_view requirement) {
    if (requirement.find("://") != std::string_view::npos) return false;
    const auto extension = to_lower(fs::path{requirement}.extension().string());
    return extension == ".txt" || extension == ".in";
}

}  // namespace podctl::plan

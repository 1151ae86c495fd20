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

Places places_of(const tmpl::Template& pod, const fs::path& root) {
    Places places;
    places.root = root;
    places.state = root / ".podctl";
    places.journal = places.state / "journal.jsonl";
    places.lock = places.state / "lock";
    places.logs = places.state / "logs";
    places.pids = places.state / "pod.json";
    places.partial = places.state / "partial";
    places.staging = places.state / "staging";
    places.replaced = places.state / "replaced";
    places.cache = places.state / "cache";
    places.tools = places.state / "tools";
    places.locks = places.state / "environments";
    places.environment = under_root(pod, root, pod.python.path);
    if (pod.comfyui) {
        places.comfyui = under_root(pod, root, pod.comfyui->path);
        places.models = places.comfyui / "models";
        places.custom_nodes = places.comfyui / "custom_nodes";
    }
    return places;
}

fs::path service_environment(const Places& places, const std::string& service) {
    return places.state / "venvs" / service;
}

bool is_requirement_file(std::string_view requirement) {
    if (requirement.find("://") != std::string_view::npos) return false;
    const auto extension = to_lower(fs::path{requirement}.extension().string());
    return extension == ".txt" || extension == ".in";
}

}  // namespace podctl::plan

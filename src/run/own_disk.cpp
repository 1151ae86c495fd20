#include "podctl/run/own_disk.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/home.hpp"
#include "podctl/machine/machine.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using OnDisk = plan::OwnDisk::Environments;

constexpr const char* of_root = "/var/lib/podctl";
constexpr const char* in_home = ".local/state/podctl";

fs::path in_variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

// Said by somebody, in whatever way; empty: nobody did.
fs::path named_folder(const tmpl::Template& pod, const std::string& given) {
    if (!given.empty()) return fs::absolute(given).lexically_normal();
    if (const auto named = in_variable("PODCTL_LOCAL"); !named.empty())
        return fs::absolute(named).lexically_normal();
    return pod.pod.local;
}

fs::path default_folder() {
    if (::geteuid() == 0) return of_root;
    // The XDG Base Directory Specification: a relative one is invalid, and to be ignored.
    if (const auto state = in_variable("XDG_STATE_HOME"); state.is_absolute())
        return state / "podctl";
    const auto home = home_folder();
    return home.empty() ? fs::path{} : home / in_home;
}

// Of one root among those of this machine.
fs::path of_pod(const fs::path& local, const fs::path& root) {
    std::error_code failed;
    const fs::path canonical = fs::weakly_canonical(root, failed);
    const fs::path& path = failed ? root : canonical;
    return local /
           fmt::format("{}-{}", path.filename().string(), sha256_hex(path.string()).substr(0, 8));
}

bool is_or_can_be_made(const fs::path& folder) {
    return !folder.empty() && machine::inspect_root(folder).writable;
}

// 0: it is not there.
dev_t device_of(const fs::path& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? status.st_dev : 0;
}

bool is_slow(const fs::path& root, const fs::path& own) {
    const auto existing = nearest_existing(root);
    if (device_of(existing) == device_of(nearest_existing(own))) return false;
    switch (machine::reach_of(existing)) {
        case machine::Reach::local:
            return false;
        case machine::Reach::network:
            return true;
        case machine::Reach::unknown:
            break;
    }
    // Measured once for a pod: its environments do not move to and fro.
    std::error_code ignored;
    if (fs::exists(own / "venvs", ignored)) return true;
    const auto took = machine::time_of_new_file(existing);
    return !took || *took > std::chrono::milliseconds{1};
}

// Other packs want other packages.
bool has_own_packs(const tmpl::Template& pod) {
    return pod.comfyui && !pod.pod.shared.custom_nodes;
}

// What asks for it, by its key; empty: nothing does.
const char* asks_for_own_folder(const tmpl::Template& pod) {
    if (has_own_packs(pod)) return "pod.shared.custom_nodes";
    if (pod.pod.volume.shared) return "pod.volume.shared";
    return pod.python.disk == tmpl::EnvironmentDisk::container ? "python.disk" : "";
}

OnDisk disk_of_environments(const tmpl::Template& pod, const fs::path& root, const fs::path& own) {
    if (has_own_packs(pod)) return OnDisk::in_own_folder;
    switch (pod.python.disk) {
        case tmpl::EnvironmentDisk::volume:
            return OnDisk::on_volume;
        case tmpl::EnvironmentDisk::container:
            return OnDisk::in_own_folder;
        case tmpl::EnvironmentDisk::automatic:
            break;
    }
    return pod.pod.volume.shared || is_slow(root, own) ? OnDisk::in_own_folder : OnDisk::on_volume;
}

}  // namespace

plan::OwnDisk find_own_disk(const tmpl::Template& pod, const fs::path& root,
                            const std::string& given) {
    const auto own = own_folder(pod, root, given);
    if (!own.empty()) return {.folder = own, .environments = disk_of_environments(pod, root, own)};
    const std::string key = asks_for_own_folder(pod);
    if (key.empty()) return {};
    throw Error{ErrorKind::preflight,
                fmt::format("{} asks for environments in the pod's own folder, and none can be "
                            "made in {}",
                            key, default_folder().empty() ? "a home" : default_folder().string()),
                "name a place on the container's disk with --local"};
}

fs::path own_folder(const tmpl::Template& pod, const fs::path& root, const std::string& given) {
    const auto named = named_folder(pod, given);
    const auto local = named.empty() ? default_folder() : named;
    // What somebody has named is used, or is an error.
    if (named.empty() && !is_or_can_be_made(local)) return {};
    return of_pod(local, root);
}

std::string why_disk_of_environments(const tmpl::Template& pod, const plan::Places& places) {
    if (places.own == places.state) return "there is no other disk that podctl can write to";
    if (!places.keeps_custom_nodes_on_volume()) return "pod.shared.custom_nodes";
    if (pod.python.disk != tmpl::EnvironmentDisk::automatic) return "python.disk";
    const auto kind = machine::inspect_root(places.root).filesystem;
    if (places.keeps_environments_on_volume())
        return fmt::format("{} is a fast disk ({})", places.root.string(), kind);
    if (pod.pod.volume.shared) return "pod.volume.shared";
    const bool is_network = machine::reach_of(places.root) == machine::Reach::network;
    return fmt::format("{} is {} ({})", places.root.string(),
                       is_network ? "a network's" : "slow with small files", kind);
}

std::vector<fs::path> possible_own_folders(const tmpl::Template& pod, const fs::path& root,
                                           const std::string& given) {
    std::vector<fs::path> folders;
    const auto add = [&](const fs::path& local) {
        if (const auto own = of_pod(local, root); std::ranges::find(folders, own) == folders.end())
            folders.push_back(own);
    };
    if (const auto own = own_folder(pod, root, given); !own.empty()) folders.push_back(own);
    if (!named_folder(pod, given).empty()) return folders;
    add(of_root);
    if (::geteuid() != 0) return folders;
    for (const auto& path : {root, root / ".podctl"}) {
        struct stat status {};
        if (::stat(path.c_str(), &status) != 0) continue;
        if (const auto home = home_of(status.st_uid); !home.empty()) add(home / in_home);
    }
    return folders;
}

}  // namespace podctl::run

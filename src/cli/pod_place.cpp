#include "pod_place.hpp"

#include "podctl/base/own_process.hpp"
#include "podctl/run/lock.hpp"
#include "podctl/run/own_disk.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <vector>

namespace podctl::cli {
namespace {

// What another user's folder does not show is not there for this one.
bool is_there(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
}

bool runs_in(const plan::Places& places) {
    // One of an earlier version has all of it on the volume, and announces the root.
    const bool is_on_volume = places.own == places.state;
    if (OwnProcess::find_announced(places.own) ||
        (is_on_volume && OwnProcess::find_announced(places.root)))
        return true;
    try {
        return run::holder_of_file_lock(places.own_lock).has_value();
    } catch (const Error&) {
        return false;
    }
}

// Where one runs, else where one has left something, else where one would be.
plan::Places places_of_running(const tmpl::Template& pod, const Common& common) {
    const auto root = root_of(pod, common);
    std::vector<plan::Places> candidates;
    for (const auto& folder : run::possible_own_folders(pod, root, common.local))
        candidates.push_back(plan::places_of(pod, root, {.folder = folder}));
    candidates.push_back(plan::places_of(pod, root));  // the volume, as the last resort
    const auto has_left_something = [](const plan::Places& it) { return is_there(it.pids); };
    const auto has_own_folder = [](const plan::Places& it) { return is_there(it.own); };
    const auto volume = candidates.end() - 1;
    if (const auto it = std::ranges::find_if(candidates, runs_in); it != candidates.end())
        return *it;
    if (const auto it = std::ranges::find_if(candidates, has_left_something);
        it != candidates.end())
        return *it;
    // That the volume has a state folder says nothing of this pod.
    const auto own = std::find_if(candidates.begin(), volume, has_own_folder);
    return own == volume ? candidates.front() : *own;
}

// A pod that is named by its root may have its own folder named in the template; one that cannot be
// read any more must not keep people from ending it.
tmpl::Template template_of(const PodArguments& arguments, const Common& common) {
    auto path = arguments.template_path;
    if (path.empty() && common.root.empty()) path = template_here();
    if (path.empty()) return {};
    try {
        return load({.path = path, .overlays = {}, .set = {}, .mirrors = {}});
    } catch (const Error&) {
        if (common.root.empty()) throw;
        return {};
    }
}

}  // namespace

void add_pod_argument(CLI::App& command, PodArguments& arguments) {
    command
        .add_option("TEMPLATE", arguments.template_path,
                    "the pod's template, which says where it is; else --root, else podctl.yaml or "
                    "pod.yaml of the current folder, else /workspace")
        ->type_name("");
}

void add_pod_and_service_arguments(CLI::App& command, PodArguments& arguments, Services services) {
    const std::function<void(const std::vector<std::string>&)> sort =
        [&arguments, services](const std::vector<std::string>& words) {
            std::string& path = arguments.template_path;
            for (const auto& word : words) {
                const bool is_path = word.find_first_of("./") != std::string::npos;
                if (is_path && !path.empty())
                    throw Error{ErrorKind::usage,
                                fmt::format("{} and {}: one template at most", path, word)};
                if (!is_path && services == Services::one && !arguments.services.empty())
                    throw Error{ErrorKind::usage, fmt::format("{} and {}: one service at most",
                                                              arguments.services.front(), word)};
                if (is_path)
                    path = word;
                else
                    arguments.services.push_back(word);
            }
        };
    command
        .add_option_function("TEMPLATE", sort,
                             "the pod's template, which says where it is; else --root, else "
                             "podctl.yaml or pod.yaml of the current folder, else /workspace")
        ->expected(1)
        ->allow_extra_args(false)
        ->type_name("");
    command
        .add_option_function(
            "SERVICE", sort,
            services == Services::one ? "this service alone" : "these services alone")
        ->expected(1, services == Services::one ? 1 : 1000)
        ->type_name("");
}

plan::Places find_places(const PodArguments& arguments, const Common& common) {
    return places_of_running(template_of(arguments, common), common);
}

}  // namespace podctl::cli

#include "pod_place.hpp"

#include "podctl/base/own_process.hpp"
#include "podctl/run/lock.hpp"
#include "podctl/run/own_disk.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <functional>

namespace podctl::cli {
namespace {

void take(std::string& place, const std::string& word, const std::string& what) {
    if (!place.empty())
        throw Error{ErrorKind::usage, fmt::format("{} and {}: one {} at most", place, word, what)};
    place = word;
}

// What another user's folder does not show is not there for this one.
bool is_there(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
}

bool runs_in(const std::filesystem::path& own) {
    if (OwnProcess::find_announced(own)) return true;
    try {
        return run::holder_of_file_lock(own / "pod.lock").has_value();
    } catch (const Error&) {
        return false;
    }
}

// Where one runs, else where one has left something, else where one would be.
plan::Places places_of_running(const tmpl::Template& pod, const Common& common) {
    const auto root = root_of(pod, common);
    const auto folders = run::possible_own_folders(pod, root, common.local);
    const auto in = [&](const std::filesystem::path& folder) {
        return plan::places_of(pod, root, {.folder = folder});
    };
    for (const auto& folder : folders)
        if (runs_in(folder)) return in(folder);
    // One of an earlier version has all of it on the volume, and announces the root.
    const auto on_volume = in({});
    if (runs_in(on_volume.own) || OwnProcess::find_announced(root)) return on_volume;
    for (const auto& folder : folders)
        if (is_there(folder / "pod.json")) return in(folder);
    if (is_there(on_volume.pids) || folders.empty()) return on_volume;
    for (const auto& folder : folders)
        if (is_there(folder)) return in(folder);
    return in(folders.front());
}

// A pod that is named by its root may have its own folder named in the template; one that cannot be
// read any more must not keep people from ending it.
tmpl::Template template_of(const PodArguments& arguments, const Common& common) {
    if (arguments.template_path.empty()) return {};
    try {
        return load({.path = arguments.template_path, .overlays = {}, .set = {}, .mirrors = {}});
    } catch (const Error&) {
        if (common.root.empty()) throw;
        return {};
    }
}

}  // namespace

void add_pod_argument(CLI::App& command, PodArguments& arguments) {
    command
        .add_option("TEMPLATE", arguments.template_path,
                    "the pod's template, which says where it is; else --root, else /workspace")
        ->type_name("");
}

void add_pod_and_service_arguments(CLI::App& command, PodArguments& arguments) {
    const std::function<void(const std::string&)> sort = [&arguments](const std::string& word) {
        if (word.find_first_of("./") == std::string::npos)
            take(arguments.service, word, "service");
        else
            take(arguments.template_path, word, "template");
    };
    command
        .add_option_function("TEMPLATE", sort,
                             "the pod's template, which says where it is; else --root, else "
                             "/workspace")
        ->type_name("");
    command.add_option_function("SERVICE", sort, "this service alone")->type_name("");
}

plan::Places find_places(const PodArguments& arguments, const Common& common) {
    auto places = places_of_running(template_of(arguments, common), common);
    const bool is_named = !common.root.empty() || !arguments.template_path.empty();
    if (is_named || is_there(places.state) || is_there(places.own) || runs_in(places.own))
        return places;
    throw Error{ErrorKind::usage,
                fmt::format("which pod? There is none in {}", places.root.string()),
                "name the template that it was started with, or its root with --root"};
}

}  // namespace podctl::cli

#include "pod_place.hpp"

#include "podctl/base/own_process.hpp"

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
    if (common.root.empty() && !arguments.template_path.empty()) {
        const auto pod =
            load({.path = arguments.template_path, .overlays = {}, .set = {}, .mirrors = {}});
        return plan::places_of(pod, root_of(pod, common));
    }
    const tmpl::Template any;
    auto places = plan::places_of(any, root_of(any, common));
    if (!common.root.empty() || std::filesystem::exists(places.state) ||
        OwnProcess::find_announced(places.root))
        return places;
    throw Error{ErrorKind::usage,
                fmt::format("which pod? There is none in {}", places.root.string()),
                "name the template that it was started with, or its root with --root"};
}

}  // namespace podctl::cli

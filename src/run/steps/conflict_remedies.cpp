#include "conflict_remedies.hpp"

#include "podctl/base/file.hpp"

#include "other_versions.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;

// The requirement files among the sources that have a line in the conflict, -r followed.
std::vector<std::size_t> asking_sources(const python::Conflict& conflict,
                                        const std::vector<python::RequirementSource>& sources) {
    std::vector<std::size_t> asking;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        if (sources[i].file.empty()) continue;
        const auto lines = python::read_requirements(sources[i]);
        const bool asks = std::any_of(lines.begin(), lines.end(), [&](const auto& line) {
            const auto& askers = conflict.askers();
            return std::any_of(askers.begin(), askers.end(), [&](const auto& asker) {
                return asker.file == line.file && asker.line == line.line;
            });
        });
        if (asks) asking.push_back(i);
    }
    return asking;
}

// The service that works beside the file: it is probably the one that wants what stands there.
std::optional<std::size_t> service_beside(const fs::path& file, const Context& context) {
    const auto& services = context.pod.services;
    for (std::size_t i = 0; i < services.size(); ++i) {
        if (services[i].requirements || services[i].cwd.empty()) continue;
        const fs::path folder = plan::under_root(context.pod, context.places.root, services[i].cwd);
        if (is_inside(file, folder) || is_inside(folder, file.parent_path())) return i;
    }
    return std::nullopt;
}

// For a file of python.requirements; empty for any other.
std::string service_way(const fs::path& file, const Context& context) {
    const auto& given = context.pod.python.requirements;
    const auto as_given = std::find_if(given.begin(), given.end(), [&](const std::string& it) {
        return plan::is_requirement_file(it) &&
               plan::under_root(context.pod, context.places.root, it) == file;
    });
    if (as_given == given.end()) return {};
    const auto service = service_beside(file, context);
    if (!service) {
        return fmt::format(
            "\n    - if it is an app's, move {0} from python.requirements to the app's own "
            "environment: services: [{{name: …, command: […], requirements: [{0}]}}]",
            *as_given);
    }
    return fmt::format(
        "\n    - move {0} from python.requirements to an environment of the service {1}: "
        "services[{2}].requirements: [{0}]",
        *as_given, context.pod.services[*service].name, *service);
}

// A pack that an earlier template or somebody else left there counts, since ComfyUI loads it.
std::string stray_way(const fs::path& file, const Attempt& attempt, const Context& context) {
    const fs::path& root = attempt.spec.custom_nodes;
    if (root.empty() || !is_inside(file, root)) return {};
    const fs::path folder = root / *file.lexically_relative(root).begin();
    const auto& nodes = context.pod.custom_nodes;
    const bool named = std::any_of(nodes.begin(), nodes.end(),
                                   [&](const auto& node) { return root / node.name == folder; });
    if (named) return {};
    return fmt::format(
        "\n    - {0} is not in the template: rename it to {1}.disabled, or remove it",
        folder.string(), folder.filename().string());
}

std::string more_ways(const python::Conflict& conflict, const Attempt& attempt, const Task& task) {
    const auto asking = asking_sources(conflict, attempt.request.requirements);
    std::string ways;
    for (const std::size_t i : asking) {
        const fs::path& file = attempt.request.requirements[i].file;
        ways += service_way(file, task.context) + stray_way(file, attempt, task.context);
    }
    for (const std::string& way : other_versions(attempt, asking, task))
        ways += "\n    - " + way;
    return ways;
}

}  // namespace

python::Lock resolve_or_tell_ways_out(const Attempt& attempt, const Task& task) {
    try {
        return python::resolve(attempt.request, attempt.base, attempt.installer, attempt.settings,
                               task.stop);
    } catch (const python::Conflict& conflict) {
        const bool of_service = attempt.spec.name != "python";
        if (of_service) {
            throw Error{conflict.kind(), conflict.message(),
                        "loosen one of these lines: python.overrides is not for the environment "
                        "of a service"};
        }
        throw Error{conflict.kind(), conflict.message(),
                    conflict.hint() + more_ways(conflict, attempt, task)};
    }
}

}  // namespace podctl::run

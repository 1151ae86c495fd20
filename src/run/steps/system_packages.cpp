#include "podctl/base/file.hpp"
#include "podctl/base/process.hpp"
#include "podctl/machine/machine.hpp"

#include "output_log.hpp"
#include "steps.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace podctl::run {
namespace {

// apt-get takes a name that it does not know for something else: `name-` for a removal, `name+` for
// an installation, and what has a . or a + in it for an expression (apt-get(8)). apt-cache pkgnames
// compares beginnings and nothing more.
std::vector<std::string> unknown_packages(const std::vector<std::string>& wanted,
                                          const Task& task) {
    std::vector<std::string> unknown;
    for (const auto& package : wanted) {
        const std::string name = package.substr(0, package.find(':'));
        bool found = false;
        run_command({.argv = {"apt-cache", "pkgnames", name}}, task.stop,
                    {.on_line = [&](std::string_view line) { found = found || line == name; }});
        if (!found) unknown.push_back(package);
    }
    return unknown;
}

ExitStatus apt_get(const std::vector<std::string>& arguments, OutputLog& log, const Task& task) {
    Command command{.argv = {"apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"}};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment = {{"DEBIAN_FRONTEND", "noninteractive"}, {"LC_ALL", "C.UTF-8"}};
    return run_command(command, task.stop,
                       {.on_line = [&](std::string_view line) { log.add(line); }});
}

}  // namespace

Look look(const plan::SystemPackages& action, const Task&) {
    const auto missing = machine::missing_packages(action.names);
    if (missing.empty()) return {.change = plan::Change::keep, .reason = "installed"};
    return {.change = plan::Change::create,
            .reason = fmt::format("missing: {}", fmt::join(missing, ", "))};
}

Outcome perform(const plan::SystemPackages& action, const Task& task) {
    const auto missing = machine::missing_packages(action.names);
    if (missing.empty()) return {.changed = false};
    if (task.context.options.offline) {
        throw Error{ErrorKind::preflight,
                    fmt::format("--offline, and system packages are missing: {}",
                                fmt::join(missing, ", "))};
    }
    OutputLog log{task.context.places.logs / "system.packages.log",
                  redactor_of(task.context.secrets)};
    // An image without package lists, or with old ones, gets them first.
    bool updated = false;
    const auto update = [&] {
        apt_get({"update"}, log, task);
        updated = true;
    };
    if (!unknown_packages(missing, task).empty()) update();
    if (const auto unknown = unknown_packages(missing, task); !unknown.empty()) {
        throw Error{ErrorKind::not_found,
                    fmt::format("apt knows no package named {}", fmt::join(unknown, ", ")),
                    "correct system_packages; `apt-cache search WORD` finds names"};
    }
    std::vector<std::string> install{"install", "-y", "--no-install-recommends", "--"};
    install.insert(install.end(), missing.begin(), missing.end());
    ExitStatus status = apt_get(install, log, task);
    if (!status.ok() && !updated) {
        update();
        status = apt_get(install, log, task);
    }
    if (!status.ok()) {
        throw Error{ErrorKind::command_failed,
                    fmt::format("apt-get install {}: {}\n{}", fmt::join(missing, ", "),
                                status.describe(), log.tail()),
                    fmt::format("the whole output is in {}", log.path().string())};
    }
    return {.changed = true};
}

}  // namespace podctl::run

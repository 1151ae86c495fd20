#include "podctl/base/file.hpp"
#include "podctl/base/process.hpp"
#include "podctl/machine/machine.hpp"

#include "output_log.hpp"
#include "steps.hpp"

#include <fmt/format.h>

namespace podctl::run {
namespace {

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names)
        text += (text.empty() ? "" : ", ") + name;
    return text;
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
    return {.change = plan::Change::create, .reason = "missing: " + joined(missing)};
}

Outcome perform(const plan::SystemPackages& action, const Task& task) {
    const auto missing = machine::missing_packages(action.names);
    if (missing.empty()) return {.changed = false};
    if (task.context.options.offline) {
        throw Error{ErrorKind::preflight,
                    "--offline, and system packages are missing: " + joined(missing)};
    }
    OutputLog log{task.context.places.logs / "system.packages.log"};
    std::vector<std::string> install{"install", "-y", "--no-install-recommends"};
    install.insert(install.end(), missing.begin(), missing.end());
    // An image without package lists, or with old ones, fails at the first try.
    ExitStatus status = apt_get(install, log, task);
    if (!status.ok()) {
        apt_get({"update"}, log, task);
        status = apt_get(install, log, task);
    }
    if (!status.ok()) {
        throw Error{ErrorKind::command_failed,
                    fmt::format("apt-get install {}: {}\n{}", joined(missing), status.describe(),
                                log.tail()),
                    fmt::format("the whole output is in {}", log.path().string())};
    }
    return {.changed = true};
}

}  // namespace podctl::run

#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/process.hpp"
#include "podctl/base/sync.hpp"
#include "podctl/base/trust.hpp"
#include "podctl/git/git.hpp"

#include "environment_base.hpp"
#include "environment_build.hpp"
#include "environment_lock.hpp"
#include "output_log.hpp"
#include "packs.hpp"
#include "steps.hpp"

#include <fmt/format.h>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using plan::Change;
using plan::InstallScript;

fs::path script_of(const InstallScript& action) {
    return action.pack / "install.py";
}

// The script runs again for another version of the pack, and in a new environment.
std::string inputs_of(const InstallScript& action, const Task& task) {
    Sha256 digest;
    digest.update(task.step.fingerprint);
    digest.update(sha256_hex(read_file_if_exists(script_of(action)).value_or("")));
    if (const auto head = git::read_head(action.pack)) digest.update(head->commit);
    if (const auto stamp = file_stamp(action.spec.path / "pyvenv.cfg"))
        digest.update(std::to_string(stamp->mtime_ns));
    return digest.finish();
}

Command command_of(const InstallScript& action, const Task& task) {
    const auto& places = task.context.places;
    const fs::path python = python_of(action.spec, task);
    Command command{.argv = {python.string(), "-u", script_of(action).filename().string()},
                    .working_directory = action.pack,
                    .environment = task.context.build_environment()};
    command.environment["COMFYUI_PATH"] = places.base.string();
    command.environment["PYTHONUNBUFFERED"] = "1";
    command.environment["PIP_NO_INPUT"] = "1";
    command.environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1";
    python::put_first_in_path(python, command.environment);
    if (action.spec.settings.environment == tmpl::EnvironmentKind::venv) {
        command.environment["VIRTUAL_ENV"] = action.spec.path.string();
    }
    // What the script installs by itself must leave the image's torch alone.
    const auto held = held_pins(action.spec, task);
    if (!held.empty()) {
        const fs::path file = places.locks / "held.txt";
        std::string text;
        for (const auto& pin : held)
            text += pin + "\n";
        write_state_file(file, text);
        command.environment["PIP_CONSTRAINT"] = file.string();
        command.environment["UV_CONSTRAINT"] = file.string();
    }
    return command;
}

const tmpl::GitNode* git_node_of(const InstallScript& action, const Task& task) {
    for (const auto& node : task.context.pod.custom_nodes) {
        if (node.name == action.pack.filename()) return std::get_if<tmpl::GitNode>(&node.source);
    }
    return nullptr;
}

}  // namespace

Look look(const InstallScript& action, const Task& task) {
    if (fs::is_directory(action.pack) && !file_stamp(script_of(action))) {
        return {.change = Change::keep, .reason = "no install.py"};
    }
    // It would install by itself what the others exclude.
    const auto resolved =
        facts_in<LockFacts>(task.context.journal_of_environments().find("python.resolve"));
    if (resolved.left_out.contains(action.pack.filename().string()))
        return {.change = Change::keep,
                .reason = "its packages are left out, and so is install.py"};
    if (task.record && facts_in<ScriptFacts>(task.record).inputs == inputs_of(action, task)) {
        return {.change = Change::keep, .reason = "install.py was run"};
    }
    return {.change = Change::create, .reason = "install.py is to be run"};
}

Outcome perform(const InstallScript& action, const Task& task) {
    if (!file_stamp(script_of(action))) return {.changed = false, .facts = {}};
    OutputLog log{
        task.context.places.logs / ("install." + action.pack.filename().string() + ".log"),
        redactor_of(task.context.secrets)};
    bool traceback = false;
    // A script that is killed while pip works leaves holes: the environment counts as unfinished
    // meanwhile.
    const bool venv = action.spec.settings.environment == tmpl::EnvironmentKind::venv;
    const auto finished = venv ? python::finished_fingerprint(action.spec.path) : std::nullopt;
    if (finished) python::mark_unfinished(action.spec.path);
    if (finished && wants_pip(action.spec, task.context.journal_of_packs()))
        python::give_pip(action.spec.path, base_of(action.spec, task));
    const auto status =
        run_command(command_of(action, task), task.stop, {.on_line = [&](std::string_view line) {
                        log.add(line);
                        if (line.starts_with("Traceback (most recent call last)")) traceback = true;
                    }});
    if (finished && status.signal == 0) {
        python::accept_drift(action.spec.path, read_lock(action.spec, task), drift_check(task),
                             task.stop);
        sync_file_system(action.spec.path);
        python::mark_finished(action.spec.path, *finished);
    }
    if (!status.ok()) {
        throw Error{
            ErrorKind::command_failed,
            fmt::format("{}: {}\n{}", script_of(action).string(), status.describe(), log.tail()),
            fmt::format("its output is in {}; `install_script: false` leaves it out",
                        log.path().string())};
    }
    // Impact's install.py, for one, swallows its errors and exits 0.
    if (traceback) {
        task.notice(fmt::format("{} ended well but printed an error, see {}",
                                script_of(action).string(), log.path().string()));
    }
    if (const auto* node = git_node_of(action, task))
        ensure_companion(node->git, action.pack, task);
    return {.changed = true, .facts = to_facts(ScriptFacts{inputs_of(action, task)})};
}

}  // namespace podctl::run

#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/trust.hpp"

#include "environment_base.hpp"
#include "environment_build.hpp"
#include "environment_lock.hpp"
#include "steps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using plan::Change;
using plan::EnvironmentSpec;

bool stands(const EnvironmentSpec& spec) {
    return python::finished_fingerprint(spec.path).has_value();
}

// Whether every package of the lock has its metadata in the environment: what somebody removed is
// missing.
bool holds_all_packages(const EnvironmentSpec& spec, const Task& task) {
    std::set<std::string> present;
    std::error_code failed;
    for (const auto& python : fs::directory_iterator{spec.path / "lib", failed}) {
        for (const auto& entry : fs::directory_iterator{python.path() / "site-packages", failed}) {
            const std::string name = entry.path().filename();
            if (!name.ends_with(".dist-info")) continue;
            present.insert(python::normalise_name(name.substr(0, name.find('-'))));
        }
    }
    const auto wanted =
        names_in(python::parse_lock(read_state_file(lock_file(spec, task)).text.value_or("")));
    return std::includes(present.begin(), present.end(), wanted.begin(), wanted.end());
}

bool is_installed(const EnvironmentSpec& spec, const Task& task) {
    if (spec.settings.environment == tmpl::EnvironmentKind::system) {
        const auto lock = lock_digest(spec, task);
        return lock && task.same_fingerprint() && task.record->fact("lock") == *lock &&
               task.record->fact("installed") == installed_distributions(spec, task);
    }
    const std::string wanted = wanted_fingerprint(spec, task);
    if (wanted.empty() || python::finished_fingerprint(spec.path) != wanted) return false;
    const bool look_closely = !task.record || task.context.options.verify;
    return !look_closely || holds_all_packages(spec, task);
}

}  // namespace

Look look(const plan::CreateEnvironment& action, const Task& task) {
    const auto standing = python::finished_fingerprint(action.spec.path);
    if (!standing) return {.change = Change::create, .reason = action.spec.path.string()};
    const auto base = task.context.journal.find(base_id(action.spec));
    if (!task.record || !base)
        return {.change = Change::change,
                .reason = "an environment stands there that is not known yet"};
    if (!task.same_fingerprint())
        return {.change = Change::change, .reason = "its settings changed"};
    if (!base_unchanged(*base) || !standing->starts_with(identity_of(action.spec, *base)))
        return {.change = Change::change, .reason = "the interpreter or its packages changed"};
    return {.change = Change::keep, .reason = "Python " + base->fingerprint};
}

Outcome perform(const plan::CreateEnvironment& action, const Task& task) {
    return {.changed = create_environment(action.spec, task), .facts = {}};
}

Look look(const plan::ResolveEnvironment& action, const Task& task) {
    return look_at_lock(action.spec, task);
}

Outcome perform(const plan::ResolveEnvironment& action, const Task& task) {
    const auto before = lock_digest(action.spec, task);
    const std::string lock = resolve_environment(action.spec, task);
    return {.changed = before != lock,
            .facts = {{"lock", lock}, {"inputs", inputs_digest(action.spec, task)}}};
}

Look look(const plan::InstallEnvironment& action, const Task& task) {
    if (is_installed(action.spec, task)) return {.change = Change::keep, .reason = "installed"};
    return {.change = stands(action.spec) ? Change::change : Change::create,
            .reason = "packages are to be installed"};
}

Outcome perform(const plan::InstallEnvironment& action, const Task& task) {
    install_environment(action.spec, task);
    Facts facts{{"lock", lock_digest(action.spec, task).value_or("")}};
    if (action.spec.settings.environment == tmpl::EnvironmentKind::system) {
        facts["installed"] = installed_distributions(action.spec, task);
    }
    return {.changed = true, .facts = std::move(facts)};
}

Look look(const plan::BuildEnvironment& action, const Task& task) {
    if (!stands(action.spec))
        return {.change = Change::create, .reason = action.spec.path.string()};
    const auto base = task.context.journal.find(base_id(action.spec));
    if (!base || !base_unchanged(*base)) {
        return {.change = Change::change, .reason = "the interpreter or its packages changed"};
    }
    const Look lock = look_at_lock(action.spec, task);
    if (lock.change != Change::keep) return lock;
    if (!is_installed(action.spec, task)) {
        return {.change = Change::change, .reason = "packages are to be installed"};
    }
    return {.change = Change::keep, .reason = "installed"};
}

Outcome perform(const plan::BuildEnvironment& action, const Task& task) {
    create_environment(action.spec, task);
    const std::string lock = resolve_environment(action.spec, task);
    if (!is_installed(action.spec, task)) install_environment(action.spec, task);
    return {.changed = true,
            .facts = {{"lock", lock}, {"inputs", inputs_digest(action.spec, task)}}};
}

}  // namespace podctl::run

#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/trust.hpp"
#include "podctl/python/drift.hpp"

#include "environment_base.hpp"
#include "environment_build.hpp"
#include "environment_lock.hpp"
#include "steps.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using plan::Change;
using plan::EnvironmentSpec;

bool stands(const EnvironmentSpec& spec) {
    return python::finished_fingerprint(spec.path).has_value();
}

// What others have done to the environment since podctl left it.
python::Drift drift_in(const EnvironmentSpec& spec, const Task& task) {
    const auto lock = python::parse_lock(read_state_file(lock_file(spec, task)).text.value_or(""));
    const auto check =
        task.context.options.verify ? python::DriftCheck::contents : python::DriftCheck::names;
    return python::find_drift(spec.path, lock, check, task.stop);
}

std::string first_of(const std::vector<std::string>& texts) {
    constexpr std::size_t most_told = 3;
    const std::size_t told = std::min(texts.size(), most_told);
    std::string text = fmt::format("{}", fmt::join(texts.begin(), texts.begin() + told, ", "));
    if (texts.size() > told) text += fmt::format(" and {} more", texts.size() - told);
    return text;
}

bool is_locked_version_installed(const EnvironmentSpec& spec, const Task& task) {
    if (spec.settings.environment == tmpl::EnvironmentKind::system) {
        const auto lock = lock_digest(spec, task);
        return lock && task.same_fingerprint() && task.record->fact("lock") == *lock &&
               task.record->fact("installed") == installed_distributions(spec, task);
    }
    const std::string wanted = wanted_fingerprint(spec, task);
    return !wanted.empty() && python::finished_fingerprint(spec.path) == wanted;
}

// keep, or why the packages are to be installed.
Look look_at_packages(const EnvironmentSpec& spec, const Task& task) {
    if (!is_locked_version_installed(spec, task))
        return {.change = stands(spec) ? Change::change : Change::create,
                .reason = "packages are to be installed"};
    Look look{.change = Change::keep, .reason = "installed"};
    if (spec.settings.environment == tmpl::EnvironmentKind::system) return look;
    const auto drift = drift_in(spec, task);
    if (!drift.broken.empty()) {
        const auto told = first_of(drift.broken);
        if (spec.settings.drift == tmpl::Drift::mend)
            return {.change = Change::change, .reason = told + ": to be made anew"};
        look.reason += "; kept by python.drift: " + told;
    }
    // What ComfyUI-Manager brings for packs that the template does not name harms nobody.
    if (!drift.more.empty()) look.reason += "; beside the lock: " + first_of(drift.more);
    return look;
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
    return look_at_packages(action.spec, task);
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
    return look_at_packages(action.spec, task);
}

Outcome perform(const plan::BuildEnvironment& action, const Task& task) {
    create_environment(action.spec, task);
    const std::string lock = resolve_environment(action.spec, task);
    if (look_at_packages(action.spec, task).change != Change::keep)
        install_environment(action.spec, task);
    return {.changed = true,
            .facts = {{"lock", lock}, {"inputs", inputs_digest(action.spec, task)}}};
}

}  // namespace podctl::run

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/shorten.hpp"

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

constexpr std::size_t distributions_named = 3;

bool stands(const EnvironmentSpec& spec) {
    return python::finished_fingerprint(spec.path).has_value();
}

bool is_locked_version_installed(const EnvironmentSpec& spec, const Task& task) {
    if (spec.settings.environment == tmpl::EnvironmentKind::system) {
        const auto lock = lock_digest(spec, task);
        const auto known = facts_in<InstallFacts>(task.record);
        return lock && task.same_fingerprint() && known.lock == *lock &&
               known.installed == installed_distributions(spec, task);
    }
    const std::string wanted = wanted_fingerprint(spec, task);
    return !wanted.empty() && python::finished_fingerprint(spec.path) == wanted;
}

std::string joined(const std::vector<std::string>& texts) {
    return fmt::format("{}", fmt::join(texts, ", "));
}

// Where the same packages are replaced again after each mending, somebody does it at each start.
constexpr int most_mendings = 2;

int mendings_of(const python::Drift& drift, const Task& task) {
    const auto known = facts_in<InstallFacts>(task.record);
    return known.replaced == joined(drift.replaced) ? known.mendings : 0;
}

// keep, or why the packages are to be installed.
Look look_at_packages(const EnvironmentSpec& spec, const Task& task) {
    if (!is_locked_version_installed(spec, task))
        return {.change = stands(spec) ? Change::change : Change::create,
                .reason = "packages are to be installed"};
    Look look{.change = Change::keep, .reason = "installed"};
    if (spec.settings.environment == tmpl::EnvironmentKind::system) return look;
    const auto drift = drift_in(spec, task);
    const auto broken = drift.broken();
    const bool is_only_replaced = drift.gone.empty() && drift.changed.empty();
    const bool is_done_again = is_only_replaced && mendings_of(drift, task) >= most_mendings;
    if (!broken.empty() && spec.settings.drift == tmpl::Drift::mend &&
        (!is_done_again || task.context.options.force)) {
        look = {.change = Change::change,
                .reason = list_first(broken, distributions_named) + ": to be made anew"};
        if (!drift.more.empty())
            look.reason +=
                ", without what nothing asks for: " + list_first(drift.more, distributions_named);
        return look;
    }
    if (!broken.empty())
        look.reason += "; kept by python.drift: " + list_first(broken, distributions_named);
    if (is_done_again && spec.settings.drift == tmpl::Drift::mend)
        look.notice = fmt::format(
            "{}: so it is after each mending, as ComfyUI-Manager does it at ComfyUI's start: kept. "
            "`python: {{drift: keep}}` says so, python.overrides settles the version, and --force "
            "makes the environment anew",
            list_first(broken, distributions_named));
    // What ComfyUI-Manager brings for packs that the template does not name harms nobody.
    if (!drift.more.empty())
        look.reason += "; beside the lock: " + list_first(drift.more, distributions_named);
    return look;
}

struct Installed {
    bool changed = true;
    InstallFacts facts = {};
};

// Installs what the lock says. Of an environment that stands with other versions, failing to mend
// it takes nothing from the pod.
Installed install_or_mend(const EnvironmentSpec& spec, const Task& task) {
    InstallFacts facts{.lock = lock_digest(spec, task).value_or("")};
    const bool is_mending = spec.settings.environment == tmpl::EnvironmentKind::venv &&
                            is_locked_version_installed(spec, task);
    const auto drift = is_mending ? drift_in(spec, task) : python::Drift{};
    if (!drift.replaced.empty()) {
        facts.replaced = joined(drift.replaced);
        facts.mendings = mendings_of(drift, task) + 1;
    }
    try {
        install_environment(spec, drift.damaged, task);
    } catch (const Error& error) {
        const bool is_usable =
            !drift.replaced.empty() && drift.gone.empty() && drift.changed.empty();
        if (!is_usable || error.kind() == ErrorKind::interrupted) throw;
        task.notice(fmt::format("{}: could not be made anew, and is kept: {}",
                                list_first(drift.replaced, distributions_named), error.message()));
        return {.changed = false, .facts = {.lock = facts.lock}};
    }
    return {.changed = true, .facts = std::move(facts)};
}

}  // namespace

Look look(const plan::CreateEnvironment& action, const Task& task) {
    const auto standing = python::finished_fingerprint(action.spec.path);
    if (!standing) return {.change = Change::create, .reason = action.spec.path.string()};
    const auto base = task.context.journal_of_environments().find(base_id(action.spec));
    if (!task.record || !base)
        return {.change = Change::change,
                .reason = "an environment stands there that is not known yet"};
    if (!task.same_fingerprint())
        return {.change = Change::change, .reason = "its settings changed"};
    if (!base_unchanged(facts_in<BaseFacts>(base)) ||
        !standing->starts_with(identity_of(action.spec, *base)))
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
    const auto facts = resolve_environment(action.spec, task);
    return {.changed = before != facts.lock, .facts = to_facts(facts)};
}

Look look(const plan::InstallEnvironment& action, const Task& task) {
    return look_at_packages(action.spec, task);
}

Outcome perform(const plan::InstallEnvironment& action, const Task& task) {
    auto [changed, facts] = install_or_mend(action.spec, task);
    if (action.spec.settings.environment == tmpl::EnvironmentKind::system)
        facts.installed = installed_distributions(action.spec, task);
    return {.changed = changed, .facts = to_facts(facts)};
}

Look look(const plan::BuildEnvironment& action, const Task& task) {
    if (!stands(action.spec))
        return {.change = Change::create, .reason = action.spec.path.string()};
    const auto base = task.context.journal_of_environments().find(base_id(action.spec));
    if (!base || !base_unchanged(facts_in<BaseFacts>(base))) {
        return {.change = Change::change, .reason = "the interpreter or its packages changed"};
    }
    const Look lock = look_at_lock(action.spec, task);
    if (lock.change != Change::keep) return lock;
    return look_at_packages(action.spec, task);
}

Outcome perform(const plan::BuildEnvironment& action, const Task& task) {
    create_environment(action.spec, task);
    auto facts = to_facts(resolve_environment(action.spec, task));
    if (look_at_packages(action.spec, task).change != Change::keep)
        facts.merge(to_facts(install_or_mend(action.spec, task).facts));
    return {.changed = true, .facts = std::move(facts)};
}

}  // namespace podctl::run

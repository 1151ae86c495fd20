#include "environments.hpp"

#include "podctl/base/file.hpp"
#include "podctl/comfy/code_copy.hpp"
#include "podctl/python/generations.hpp"
#include "podctl/run/provision.hpp"

#include "context.hpp"
#include "provisioner_state.hpp"
#include "steps/environment_lock.hpp"
#include "steps/environment_snapshots.hpp"

#include <fmt/format.h>

#include <algorithm>

// What Provisioner does with the environments of a plan, and with what else is on the container's
// disk, after its steps.
namespace podctl::run {
namespace {

bool has_generations(const plan::EnvironmentSpec* spec) {
    return spec != nullptr && spec->settings.environment == tmpl::EnvironmentKind::venv;
}

std::vector<std::string> steps_of(const plan::EnvironmentSpec& spec, const plan::Plan& plan) {
    std::vector<std::string> ids;
    for (const auto& step : plan.steps) {
        const auto* changed = plan::environment_changed_by(step);
        if (changed && changed->name == spec.name) ids.push_back(step.id);
    }
    return ids;
}

std::vector<const plan::EnvironmentSpec*> environments_left_on_volume(const plan::Plan& plan) {
    std::vector<const plan::EnvironmentSpec*> left;
    if (plan.places.keeps_environments_on_volume()) return left;
    for (const auto& step : plan.steps) {
        const auto* spec = plan::installed_by(step);
        if (has_generations(spec) && python::current_generation(spec->named)) left.push_back(spec);
    }
    return left;
}

}  // namespace

void Provisioner::accept_environments(const plan::Plan& plan, std::stop_token stop) {
    for (const auto& step : plan.steps) {
        const auto* spec = plan::installed_by(step);
        if (!has_generations(spec)) continue;
        try {
            python::accept_generation(spec->path, stop);
        } catch (const Error& error) {
            // The pod runs; what is left over is removed the next time.
            state_->context.notice(step.id, error.message());
        }
    }
}

void tell_of_environments_on_volume(const plan::Plan& plan, Context& context) {
    for (const auto* spec : environments_left_on_volume(plan))
        context.notice("", fmt::format("an environment from before it had its place in {} is still "
                                       "in {}: --prune removes it",
                                       context.places.own.string(), spec->named.string()));
}

void prune_environments_on_volume(const plan::Plan& plan, const std::stop_token& stop) {
    for (const auto* spec : environments_left_on_volume(plan))
        python::remove_environment(spec->named, stop);
}

void Provisioner::keep_environments(const plan::Plan& plan, const std::stop_token& stop) {
    auto& context = state_->context;
    if (context.places.keeps_environments_on_volume()) return;
    for (const auto& step : plan.steps) {
        const auto* spec = plan::installed_by(step);
        if (!has_generations(spec)) continue;
        try {
            keep_environment(*spec, steps_of(*spec, plan), context, stop);
        } catch (const Error& error) {
            if (error.kind() == ErrorKind::interrupted) return;
            context.notice(step.id, fmt::format("no snapshot of the environment was taken, so the "
                                                "next pod makes it anew: {}",
                                                error.message()));
        }
    }
}

void Provisioner::keep_bytecode(const plan::Plan& plan, const std::stop_token& stop) {
    const auto& places = plan.places;
    if (places.code.empty()) return;
    try {
        comfy::keep_bytecode({places.comfyui, places.base, places.code}, stop);
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) return;
        state_->context.notice("comfyui.code",
                               fmt::format("the next pod compiles ComfyUI anew, since what was "
                                           "compiled could not be kept: {}",
                                           error.message()));
    }
}

bool Provisioner::swap_back_environments(const plan::Plan& plan) {
    bool any = false;
    for (const auto& step : plan.steps) {
        const auto* spec = plan::installed_by(step);
        if (!has_generations(spec) || !python::swap_back(spec->path)) continue;
        any = true;
        state_->context.notice(
            std::string{event::launch_step},
            fmt::format("{} is again the environment of the last start that worked",
                        spec->path.string()));
    }
    return any;
}

std::map<std::string, python::Lock> Provisioner::locks(const plan::Plan& plan) {
    auto& context = state_->context;
    std::map<std::string, python::Lock> locks;
    for (const auto& step : plan.steps) {
        const auto* spec = plan::installed_by(step);
        if (spec == nullptr) continue;
        const auto resolver = std::ranges::find_if(plan.steps, [&](const auto& other) {
            const auto* resolved = plan::resolved_by(other);
            return resolved != nullptr && resolved->name == spec->name;
        });
        if (resolver == plan.steps.end()) continue;
        const Task task{*resolver, context.journal_of(*resolver).find(resolver->id), context, {}};
        if (look_at_lock(*spec, task).change == plan::Change::keep)
            locks.emplace(step.id, read_lock(*spec, task));
    }
    return locks;
}

}  // namespace podctl::run

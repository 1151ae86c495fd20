#include "podctl/base/file.hpp"
#include "podctl/python/generations.hpp"
#include "podctl/run/provision.hpp"

#include "context.hpp"
#include "provisioner_state.hpp"
#include "steps/environment_lock.hpp"

#include <fmt/format.h>

#include <algorithm>

// What Provisioner does with the environments of a plan after its steps.
namespace podctl::run {
namespace {

bool has_generations(const plan::EnvironmentSpec* spec) {
    return spec != nullptr && spec->settings.environment == tmpl::EnvironmentKind::venv;
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
        const Task task{*resolver, context.journal.find(resolver->id), context, {}};
        if (look_at_lock(*spec, task).change == plan::Change::keep)
            locks.emplace(step.id, read_lock(*spec, task));
    }
    return locks;
}

}  // namespace podctl::run

#include "../checks/machine_checks.hpp"
#include "steps.hpp"

#include <fmt/format.h>

namespace podctl::run {

// Looking is all that this step does, so it always runs.
Look look(const plan::Preflight&, const Task&) {
    return {.change = plan::Change::keep, .reason = {}};
}

Outcome perform(const plan::Preflight& action, const Task& task) {
    Examination found{task.context, task.stop};
    check_root(found);
    if (task.context.options.will_launch) check_ports(found, {});
    if (action.gpu) check_gpu(found, action.gpu);
    check_tokens(found);
    check_pack_sources(found, task.context.due.packs);
    check_packages(found, action.system_packages);
    check_space(found, task.context.due.disk);
    check_space_of_store(found, task.context.due.store);
    for (const auto& spec : task.context.due.environments)
        check_python(found, spec);
    for (const auto& spec : task.context.due.resolutions)
        check_index(found, spec);
    for (const auto& finding : found.findings()) {
        if (finding.grade == Finding::Grade::warn)
            task.notice(fmt::format("{}: {}", finding.message, finding.remedy));
    }
    found.throw_failures();
    for (const auto& it : recipients_of(task.context.pod, task.context.secrets)) {
        if (it.by != Recipient::By::templates_mirror) continue;
        task.notice(fmt::format("{} is sent to {}, {}", it.secret, it.origin, word_of(it.by)));
    }
    return {.changed = false, .facts = {}};
}

}  // namespace podctl::run

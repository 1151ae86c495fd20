#include "podctl/run/provision.hpp"

#include "checks/machine_checks.hpp"
#include "provisioner_state.hpp"

#include <algorithm>

namespace podctl::run {

namespace {

// What the plan wants, apart from what there is of the machine.
void check_wishes(Examination& found, const plan::Plan& plan,
                  const std::vector<plan::Assessment>& assessments) {
    const auto bill = plan::bill_of(plan, assessments);
    check_space(found, bill.disk);
    check_space_of_store(found, bill.store);
    check_pack_sources(found, pack_sources_of(plan));
    check_tokens(found);
}

}  // namespace

Findings Provisioner::foresee(const plan::Plan& plan,
                              const std::vector<plan::Assessment>& assessments) {
    Examination found{state_->context, {}};
    check_wishes(found, plan, assessments);
    return found.findings();
}

Findings Provisioner::examine(const plan::Plan& plan,
                              const std::vector<plan::Assessment>& assessments,
                              const std::set<std::uint16_t>& own_ports, std::stop_token stop) {
    auto& context = state_->context;
    Examination found{context, stop};
    check_gpu(found, context.pod.pod.gpu);
    check_root(found);
    check_volume(found);
    check_disks(found);
    check_wishes(found, plan, assessments);
    check_ports(found, own_ports);
    check_packages(found, context.pod.system_packages);
    for (const auto& step : plan.steps) {
        if (const auto* spec = plan::resolved_by(step)) check_python(found, *spec);
    }
    check_build_tools(found);
    // One index serves all environments.
    for (const auto& step : plan.steps) {
        const auto* spec = plan::resolved_by(step);
        if (spec == nullptr) continue;
        check_index(found, *spec);
        break;
    }
    // Where everything is there already, nothing is fetched.
    const bool is_due = std::ranges::any_of(
        assessments, [](const auto& it) { return it.change != plan::Change::keep; });
    check_origins(found, is_due ? Finding::Grade::fail : Finding::Grade::warn);
    return found.findings();
}

}  // namespace podctl::run

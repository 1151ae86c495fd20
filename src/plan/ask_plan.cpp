// What is asked of a plan that was built.
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/plan/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_map>

namespace podctl::plan {

const Step* Plan::find(std::string_view id) const {
    const auto it =
        std::find_if(steps.begin(), steps.end(), [&](const Step& step) { return step.id == id; });
    return it == steps.end() ? nullptr : &*it;
}

bool is_download(const Step& step) {
    return std::holds_alternative<FetchModel>(step.action) ||
           std::holds_alternative<FetchFolder>(step.action);
}

Lane lane_of(const Step& step) {
    return is_download(step) ? Lane::download : Lane::work;
}

namespace {

// Brings a pack, or what packs are beside.
bool brings_pack(const Step& step) {
    const auto* clone = std::get_if<Clone>(&step.action);
    return (clone && clone->kind == CloneKind::custom_node) ||
           std::holds_alternative<RegistryNode>(step.action) ||
           std::holds_alternative<CopyNode>(step.action);
}

// Whatever the template says of disks.
bool is_of_own_folder(const Step& step) {
    return std::holds_alternative<LinkBase>(step.action) ||
           std::holds_alternative<CopyCode>(step.action);
}

}  // namespace

bool is_recorded_on_own_disk(const Step& step, const Places& places) {
    if (environment_changed_by(step)) return !places.keeps_environments_on_volume();
    return is_of_own_folder(step) || (brings_pack(step) && !places.keeps_custom_nodes_on_volume());
}

bool changes_volume(const Step& step, const Places& places) {
    if (environment_of(step)) return places.keeps_environments_on_volume();
    if (brings_pack(step) || std::holds_alternative<InstallScript>(step.action))
        return places.keeps_custom_nodes_on_volume();
    return !is_of_own_folder(step);
}

const EnvironmentSpec* environment_changed_by(const Step& step) {
    const auto* script = std::get_if<InstallScript>(&step.action);
    return script ? &script->spec : environment_of(step);
}

const EnvironmentSpec* environment_of(const Step& step) {
    if (const auto* create = std::get_if<CreateEnvironment>(&step.action)) return &create->spec;
    const auto* resolved = resolved_by(step);
    return resolved ? resolved : installed_by(step);
}

const EnvironmentSpec* resolved_by(const Step& step) {
    if (const auto* resolve = std::get_if<ResolveEnvironment>(&step.action)) return &resolve->spec;
    const auto* build = std::get_if<BuildEnvironment>(&step.action);
    return build ? &build->spec : nullptr;
}

const EnvironmentSpec* installed_by(const Step& step) {
    if (const auto* install = std::get_if<InstallEnvironment>(&step.action)) return &install->spec;
    const auto* build = std::get_if<BuildEnvironment>(&step.action);
    return build ? &build->spec : nullptr;
}

Plan only(const Plan& plan, std::span<const std::string> ids) {
    std::vector<std::string> known;
    for (const auto& step : plan.steps)
        known.push_back(step.id);
    std::set<std::string> wanted;
    std::vector<std::string> open(ids.begin(), ids.end());
    while (!open.empty()) {
        const std::string id = open.back();
        open.pop_back();
        const Step* step = plan.find(id);
        if (!step) {
            const auto near = nearest(id, known);
            throw Error{ErrorKind::usage, fmt::format("--only {}: there is no such step", id),
                        near ? fmt::format("did you mean {}?", *near)
                             : "`podctl plan` lists the steps of a template"};
        }
        if (!wanted.insert(id).second) continue;
        open.insert(open.end(), step->needs.begin(), step->needs.end());
        open.insert(open.end(), step->after.begin(), step->after.end());
        open.insert(open.end(), step->placed_after.begin(), step->placed_after.end());
    }
    Plan part{.places = plan.places, .steps = {}, .is_part = true};
    for (const auto& step : plan.steps) {
        if (wanted.contains(step.id)) part.steps.push_back(step);
    }
    return part;
}

namespace {

// Where a step of unknown size is counted; nullptr: it fetches nothing.
std::size_t* counter_of(const Step& step, Bill& bill) {
    if (is_download(step)) return &bill.models;
    if (std::holds_alternative<Clone>(step.action)) return &bill.repositories;
    if (std::holds_alternative<RegistryNode>(step.action)) return &bill.archives;
    return installed_by(step) != nullptr ? &bill.environments : nullptr;
}

}  // namespace

Bill bill_of(const Plan& plan, std::span<const Assessment> assessments) {
    Bill bill;
    std::unordered_map<std::string_view, std::size_t*> counters;
    for (const auto& step : plan.steps)
        if (auto* counter = counter_of(step, bill)) counters.emplace(step.id, counter);
    for (const auto& assessment : assessments) {
        const auto counter = counters.find(assessment.step);
        if (assessment.change == Change::keep || counter == counters.end()) continue;
        if (!assessment.download) {
            ++bill.unknown;
            ++*counter->second;
            bill.packages += assessment.packages.value_or(0);
            continue;
        }
        bill.download = bill.download + *assessment.download;
        bill.disk = bill.disk + assessment.disk;
        bill.store = bill.store + assessment.store;
    }
    return bill;
}

}  // namespace podctl::plan

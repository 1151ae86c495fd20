#include "podctl/plan/plan.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/event.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"

#include "fingerprint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <queue>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace podctl::plan {
namespace {

namespace fs = std::filesystem;

// A folder that a step brings, so that what lies in it waits for the step.
struct Source {
    fs::path path;
    std::string step;
};

class Builder {
public:
    Builder(const tmpl::Template& pod, const fs::path& root) : pod_(pod) {
        plan_.places = places_of(pod, root);
    }

    Plan build(const Resolutions& resolutions) {
        add("preflight", Preflight{.system_packages = pod_.system_packages, .gpu = pod_.pod.gpu},
            {});
        if (!pod_.system_packages.empty()) {
            add("system.packages", SystemPackages{pod_.system_packages}, {"preflight"});
        }
        add_clones();
        add_nodes();
        add_models(resolutions);
        add_environment();
        add_services();
        for (auto& step : plan_.steps)
            step.fingerprint = fingerprint_of(step.action);
        sort_by_needs();
        return std::move(plan_);
    }

private:
    Step& add(std::string id, Action action, std::vector<std::string> needs) {
        ids_.insert(id);
        plan_.steps.push_back(
            {.id = std::move(id), .action = std::move(action), .needs = std::move(needs)});
        return plan_.steps.back();
    }

    fs::path place(const std::string& path) const {
        return under_root(pod_, plan_.places.root, path);
    }

    // The steps that bring folders which `path` lies in (but is not itself), with preflight.
    std::vector<std::string> needs_of(const fs::path& path) const {
        std::vector<std::string> needs{"preflight"};
        for (const auto& source : sources_) {
            if (path != source.path && is_inside(path, source.path)) needs.push_back(source.step);
        }
        return needs;
    }

    void add_clones() {
        struct Wanted {
            std::string id;
            Clone clone;
        };
        std::vector<Wanted> wanted;
        for (const auto& repository : pod_.repositories) {
            const fs::path path = place(repository.path);
            wanted.push_back(
                {"repo:" + path.lexically_relative(plan_.places.root).string(),
                 {CloneKind::repository, repository.git, repository.ref, path,
                  repository.submodules ? git::Submodules::yes : git::Submodules::no}});
        }
        if (pod_.comfyui) {
            wanted.push_back({"comfyui.clone",
                              {CloneKind::comfyui, pod_.comfyui->source, pod_.comfyui->ref,
                               plan_.places.comfyui, git::Submodules::yes}});
        }
        for (const auto& it : wanted)
            sources_.push_back({it.clone.path, it.id});
        for (auto& it : wanted)
            add(it.id, it.clone, needs_of(it.clone.path));
    }

    void add_nodes() {
        if (!pod_.comfyui) return;
        for (const auto& node : pod_.custom_nodes) {
            const fs::path path = plan_.places.custom_nodes / node.name;
            auto needs = needs_of(path);
            Action action =
                std::visit(overloaded{[&](const tmpl::GitNode& it) -> Action {
                                          return Clone{CloneKind::custom_node, it.git, it.ref, path,
                                                       it.submodules ? git::Submodules::yes
                                                                     : git::Submodules::no};
                                      },
                                      [&](const tmpl::RegistryNode& it) -> Action {
                                          return RegistryNode{it.id, it.version, path, pod_.trust};
                                      },
                                      [&](const tmpl::PathNode& it) -> Action {
                                          const fs::path from = place(it.path);
                                          for (const auto& source : sources_) {
                                              if (is_inside(from, source.path))
                                                  needs.push_back(source.step);
                                          }
                                          return CopyNode{from, path};
                                      }},
                           node.source);
            std::sort(needs.begin(), needs.end());
            needs.erase(std::unique(needs.begin(), needs.end()), needs.end());
            add("node:" + node.name, std::move(action), std::move(needs));
        }
    }

    void add_models(const Resolutions& resolutions) {
        std::map<fs::path, std::string> taken;
        for (std::size_t i = 0; i < pod_.models.size(); ++i) {
            const auto& model = pod_.models[i];
            FetchModel fetch{.source = fetch::parse_source(model.source),
                             .resolved = {},
                             .folder = model.to,
                             .name = model.name,
                             .sha256 = model.sha256,
                             .layout = model.layout,
                             .unpack = model.unpack,
                             .allow_pickle = model.allow_pickle,
                             .trusted = false,
                             .target = {}};
            fetch.trusted = fetch::is_listed(fetch.source, pod_.trust);
            if (fs::path{model.to}.is_absolute()) fetch.folder = place(model.to).string();
            if (const auto it = resolutions.find(fetch.source.text); it != resolutions.end()) {
                fetch.resolved = it->second;
            } else if (const auto* url = std::get_if<fetch::UrlSource>(&fetch.source.location)) {
                fetch.resolved = fetch::describe(*url);
            }
            place_model(fetch, plan_.places);
            if (!fetch.target.empty() && !fetch.unpack) {
                const auto [other, fresh] = taken.emplace(fetch.target, fetch.source.text);
                if (!fresh) {
                    throw Error{ErrorKind::template_,
                                fmt::format("{} and {} would both be stored as {}", other->second,
                                            fetch.source.text, fetch.target.string()),
                                "give one of them another name: or to:"};
                }
            }
            std::string id = model_step_id(fetch, plan_.places);
            // Two archives may be unpacked into one folder, and one source be stored in two.
            if (ids_.contains(id)) id += "#" + std::to_string(i);
            const fs::path folder = fetch.target.empty() ? plan_.places.models : fetch.target;
            const std::string partial = "download:" + fetch.source.text;
            Step& step = add(std::move(id), std::move(fetch), {"preflight"});
            step.optional = model.optional;
            step.exclusive = partial;
            for (const auto& source : sources_) {
                if (!folder.empty() && is_inside(folder, source.path))
                    step.placed_after.push_back(source.step);
            }
        }
    }

    EnvironmentSpec python_spec() const {
        EnvironmentSpec spec;
        spec.name = "python";
        spec.settings = pod_.python;
        spec.path = plan_.places.environment;
        split(pod_.python.requirements, spec.requirement_files, spec.requirement_lines);
        split(pod_.python.constraints, spec.constraint_files, spec.constraint_lines);
        spec.comfyui = plan_.places.comfyui;
        spec.custom_nodes = plan_.places.custom_nodes;
        for (const auto& node : pod_.custom_nodes)
            if (!node.ignore_requirements.empty())
                spec.ignored_requirements[node.name] = node.ignore_requirements;
        return spec;
    }

    void split(const std::vector<std::string>& given, std::vector<fs::path>& files,
               std::vector<std::string>& lines) const {
        for (const auto& text : given) {
            if (is_requirement_file(text)) {
                files.push_back(place(text));
            } else {
                lines.push_back(text);
            }
        }
    }

    void need_files(std::vector<std::string>& needs, const EnvironmentSpec& spec) const {
        for (const auto* files : {&spec.requirement_files, &spec.constraint_files}) {
            for (const auto& file : *files) {
                for (const auto& source : sources_) {
                    if (is_inside(file, source.path)) needs.push_back(source.step);
                }
            }
        }
        if (!pod_.system_packages.empty()) needs.push_back("system.packages");
    }

    void add_environment() {
        if (!pod_.comfyui && pod_.python.requirements.empty()) return;
        const EnvironmentSpec spec = python_spec();
        std::vector<std::string> ready{"preflight"};
        if (pod_.python.environment == tmpl::EnvironmentKind::venv) {
            // Debian's own python3 may be among the packages.
            auto needs = needs_of(spec.path);
            if (!pod_.system_packages.empty()) needs.push_back("system.packages");
            add("python.venv", CreateEnvironment{spec}, std::move(needs)).exclusive = spec.path;
            ready.emplace_back("python.venv");
        }
        auto needs = ready;
        if (pod_.comfyui) needs.emplace_back("comfyui.clone");
        for (const auto& node : pod_.custom_nodes)
            needs.push_back("node:" + node.name);
        need_files(needs, spec);
        add("python.resolve", ResolveEnvironment{spec}, needs).exclusive = spec.path;
        add("python.install", InstallEnvironment{spec}, {"python.resolve"}).exclusive = spec.path;
        for (const auto& node : pod_.custom_nodes) {
            if (!node.install_script) continue;
            add("node:" + node.name + ".install",
                InstallScript{plan_.places.custom_nodes / node.name, spec},
                {"python.install", "node:" + node.name})
                .exclusive = spec.path;
        }
    }

    void add_services() {
        for (const auto& service : pod_.services) {
            if (!service.requirements) continue;
            EnvironmentSpec spec;
            spec.name = "service:" + service.name;
            spec.settings = pod_.python;
            spec.settings.environment = tmpl::EnvironmentKind::venv;
            spec.settings.overrides.clear();
            spec.path = service_environment(plan_.places, service.name);
            split(*service.requirements, spec.requirement_files, spec.requirement_lines);
            // The pins of a service are its own: a torch that it names may stand before the
            // image's.
            spec.hold_torch = false;
            auto needs = std::vector<std::string>{"preflight"};
            need_files(needs, spec);
            add("service:" + service.name + ".environment", BuildEnvironment{spec},
                std::move(needs))
                .exclusive = spec.path;
        }
    }

    // Behind all that it needs, otherwise in the order in which it was added.
    void sort_by_needs() {
        auto& steps = plan_.steps;
        std::unordered_map<std::string_view, std::vector<std::size_t>> waiting;
        std::vector<std::size_t> open;  // how many needs of each step are not behind it yet
        std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
        for (std::size_t i = 0; i < steps.size(); ++i) {
            open.push_back(steps[i].needs.size());
            if (open[i] == 0) ready.push(i);
            for (const auto& need : steps[i].needs)
                waiting[need].push_back(i);
        }
        std::vector<std::size_t> order;
        while (!ready.empty()) {
            const std::size_t next = ready.top();
            ready.pop();
            order.push_back(next);
            // Of two steps with one id the first is enough.
            for (const std::size_t i : std::exchange(waiting[steps[next].id], {}))
                if (--open[i] == 0) ready.push(i);
        }
        if (order.size() < steps.size()) {
            const auto stuck =
                std::ranges::find_if(open, [](std::size_t left) { return left > 0; });
            throw Error{ErrorKind::template_,
                        fmt::format("{} lies in a folder that waits for it",
                                    steps[static_cast<std::size_t>(stuck - open.begin())].id),
                        "give the repositories paths that do not contain each other"};
        }
        std::vector<Step> sorted;
        for (const std::size_t i : order)
            sorted.push_back(std::move(steps[i]));
        steps = std::move(sorted);
    }

    const tmpl::Template& pod_;
    Plan plan_;
    std::unordered_set<std::string> ids_;  // of its steps
    std::vector<Source> sources_;
};

}  // namespace

const Step* Plan::find(std::string_view id) const {
    const auto it =
        std::find_if(steps.begin(), steps.end(), [&](const Step& step) { return step.id == id; });
    return it == steps.end() ? nullptr : &*it;
}

Lane lane_of(const Step& step) {
    return std::holds_alternative<FetchModel>(step.action) ? Lane::download : Lane::work;
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

Plan build_plan(const tmpl::Template& pod, const fs::path& root, const Resolutions& resolutions) {
    return Builder{pod, root}.build(resolutions);
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
        open.insert(open.end(), step->placed_after.begin(), step->placed_after.end());
    }
    Plan part{.places = plan.places, .steps = {}};
    for (const auto& step : plan.steps) {
        if (wanted.contains(step.id)) part.steps.push_back(step);
    }
    return part;
}

Bill bill_of(const Plan& plan, std::span<const Assessment> assessments) {
    Bill bill;
    std::unordered_set<std::string_view> models;
    for (const auto& step : plan.steps)
        if (std::holds_alternative<FetchModel>(step.action)) models.insert(step.id);
    for (const auto& assessment : assessments) {
        if (assessment.change == Change::keep || !models.contains(assessment.step)) continue;
        if (!assessment.download) {
            ++bill.unknown;
            continue;
        }
        bill.download = bill.download + *assessment.download;
        bill.disk = bill.disk + assessment.disk;
    }
    return bill;
}

}  // namespace podctl::plan

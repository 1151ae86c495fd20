#include "podctl/plan/plan.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/overloaded.hpp"

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
    Builder(const tmpl::Template& pod, const Places& places) : pod_(pod) { plan_.places = places; }

    Plan build(const Resolutions& resolutions, const Listings& listings) {
        add("preflight", Preflight{.system_packages = pod_.system_packages, .gpu = pod_.pod.gpu},
            {});
        if (!pod_.system_packages.empty()) {
            add("system.packages", SystemPackages{pod_.system_packages}, {"preflight"});
        }
        add_clones();
        add_nodes();
        add_models(resolutions, listings);
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

    void add_code() {
        const auto& places = plan_.places;
        Step& step = add("comfyui.code", CopyCode{{places.comfyui, places.base, places.code}},
                         {"comfyui.clone"});
        if (!places.keeps_custom_nodes_on_volume()) step.needs.emplace_back("comfyui.base");
    }

    void add_nodes() {
        if (!pod_.comfyui) return;
        if (!plan_.places.keeps_custom_nodes_on_volume())
            add("comfyui.base", LinkBase{plan_.places.comfyui, plan_.places.base},
                {"comfyui.clone"});
        if (!plan_.places.code.empty()) add_code();
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
            add("node:" + node.name, std::move(action), std::move(needs)).optional = node.optional;
        }
    }

    void add_models(const Resolutions& resolutions, const Listings& listings) {
        for (const auto& model : pod_.models) {
            const auto source = hub::parse_source(model.source);
            if (hub::is_folder(source))
                repositories_in_folders_.insert(
                    std::get<hub::HuggingFaceSource>(source.location).repository);
        }
        for (std::size_t i = 0; i < pod_.models.size(); ++i) {
            const auto& model = pod_.models[i];
            const auto source = hub::parse_source(model.source);
            check_keys(model, source);
            if (hub::is_folder(source))
                add_download(i, folder_of(model, source, listings));
            else
                add_download(i, file_of(model, source, resolutions));
        }
    }

    FetchModel file_of(const tmpl::Model& model, const hub::Source& source,
                       const Resolutions& resolutions) const {
        FetchModel fetch{.source = source,
                         .resolved = {},
                         .folder = model.to,
                         .name = model.name,
                         .sha256 = model.sha256,
                         .layout = model.layout,
                         .unpack = model.unpack,
                         .allow_pickle = model.allow_pickle,
                         .trusted = hub::is_listed(source, pod_.trust),
                         .target = {}};
        if (fs::path{model.to}.is_absolute()) fetch.folder = place(model.to).string();
        if (const auto it = resolutions.find(source.text); it != resolutions.end()) {
            fetch.resolved = it->second;
        } else if (const auto* url = std::get_if<hub::UrlSource>(&source.location)) {
            fetch.resolved = hub::describe(*url);
        }
        place_model(fetch, plan_.places);
        return fetch;
    }

    FetchFolder folder_of(const tmpl::Model& model, const hub::Source& source,
                          const Listings& listings) const {
        const bool is_absolute = fs::path{model.to}.is_absolute();
        FetchFolder fetch{.source = source,
                          .globs = {model.include, model.exclude},
                          .listing = {},
                          .allow_pickle = model.allow_pickle,
                          .target = is_absolute
                                        ? place(model.to)
                                        : (plan_.places.models / model.to).lexically_normal()};
        if (const auto it = listings.find(source.text); it != listings.end())
            fetch.listing = it->second;
        return fetch;
    }

    void claim_files(const FetchModel& model) {
        if (!model.target.empty() && !model.unpack) claim_file(model.target, model.source.text);
    }
    void claim_files(const FetchFolder& folder) {
        if (!folder.listing) return;
        for (const auto& file : folder.chosen(*folder.listing).files)
            claim_file(folder.target / file.path, folder.source.text);
    }
    void claim_file(const fs::path& target, const std::string& source) {
        const auto [other, fresh] = files_.emplace(target, source);
        if (fresh) return;
        throw Error{ErrorKind::template_,
                    fmt::format("{} and {} would both be stored as {}", other->second, source,
                                target.string()),
                    "give one of them another name: or to:"};
    }

    // No two downloads of one file at once. A folder may have any file of its repository in it.
    std::string download_of(const hub::Source& source) const {
        const auto* hub = std::get_if<hub::HuggingFaceSource>(&source.location);
        const bool is_shared = hub && repositories_in_folders_.contains(hub->repository);
        return "download:" + (is_shared ? hub->repository : hub::location_key(source.location));
    }

    template <class Download>
    void add_download(std::size_t index, Download download) {
        claim_files(download);
        std::string id = model_step_id(download.source, download.target, plan_.places);
        // Two archives may be unpacked into one folder, and one source be stored in two.
        if (ids_.contains(id)) id += "#" + std::to_string(index);
        const fs::path folder = download.target.empty() ? plan_.places.models : download.target;
        const std::string partial = download_of(download.source);
        Step& step = add(std::move(id), std::move(download), {"preflight"});
        step.optional = pod_.models[index].optional;
        step.exclusive = partial;
        for (const auto& source : sources_)
            if (!folder.empty() && is_inside(folder, source.path))
                step.placed_after.push_back(source.step);
    }

    Packs packs() const {
        Packs packs;
        for (const auto& node : pod_.custom_nodes) {
            packs.names.insert(node.name);
            if (node.optional) packs.optional.insert(node.name);
            if (!node.ignore_requirements.empty())
                packs.ignored_requirements[node.name] = node.ignore_requirements;
        }
        return packs;
    }

    EnvironmentSpec python_spec() const {
        EnvironmentSpec spec;
        spec.name = "python";
        spec.settings = pod_.python;
        spec.path = plan_.places.environment;
        spec.named = place(pod_.python.path);
        split(pod_.python.requirements, spec.requirement_files, spec.requirement_lines);
        split(pod_.python.constraints, spec.constraint_files, spec.constraint_lines);
        spec.comfyui = plan_.places.comfyui;
        spec.custom_nodes = plan_.places.custom_nodes;
        spec.packs = std::make_shared<const Packs>(packs());
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
        std::vector<std::string> after;
        for (const auto& node : pod_.custom_nodes)
            (node.optional ? after : needs).push_back("node:" + node.name);
        need_files(needs, spec);
        Step& resolve = add("python.resolve", ResolveEnvironment{spec}, needs);
        resolve.exclusive = spec.path;
        resolve.after = std::move(after);
        add("python.install", InstallEnvironment{spec}, {"python.resolve"}).exclusive = spec.path;
        for (const auto& node : pod_.custom_nodes) {
            const auto* own = std::get_if<tmpl::PathNode>(&node.source);
            const bool is_file = own && own->path.ends_with(".py");
            if (!node.install_script || is_file) continue;
            Step& script = add("node:" + node.name + ".install",
                               InstallScript{plan_.places.custom_nodes / node.name, spec},
                               {"python.install", "node:" + node.name});
            script.exclusive = spec.path;
            script.optional = node.optional;
            if (!plan_.places.keeps_custom_nodes_on_volume())
                script.needs.emplace_back("comfyui.base");
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
            spec.named = plan_.places.state / "venvs" / service.name;
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
            open.push_back(steps[i].needs.size() + steps[i].after.size());
            if (open[i] == 0) ready.push(i);
            for (const auto* before : {&steps[i].needs, &steps[i].after})
                for (const auto& id : *before)
                    waiting[id].push_back(i);
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
    std::map<fs::path, std::string> files_;  // that models become, by which source
    std::set<std::string> repositories_in_folders_;
};

}  // namespace

Plan build_plan(const tmpl::Template& pod, const Places& places, const Resolutions& resolutions,
                const Listings& listings) {
    return Builder{pod, places}.build(resolutions, listings);
}

}  // namespace podctl::plan

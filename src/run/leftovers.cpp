#include "leftovers.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/shorten.hpp"

#include "steps/model_record.hpp"
#include "steps/packs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view model_prefix = "model:";

// Without links on the way, so that two ways to one place are one.
fs::path real(const fs::path& path) {
    std::error_code failed;
    const auto folder = fs::weakly_canonical(path.parent_path(), failed);
    return failed ? path : folder / path.filename();
}

void add(std::set<fs::path>& paths, const fs::path& path) {
    if (!path.empty()) paths.insert(real(path));
}

void add_environment(std::set<fs::path>& paths, const plan::EnvironmentSpec& spec) {
    add(paths, spec.path);
    for (const auto* files : {&spec.requirement_files, &spec.constraint_files})
        for (const auto& file : *files)
            add(paths, file);
}

// Every file of a model. False while they are not known.
bool add_models(std::set<fs::path>& paths, const plan::Step& step, const Context& context) {
    const auto places = plan::model_places(step);
    if (!places) return false;
    for (const auto& place : *places)
        add(paths, place);
    const auto* model = std::get_if<plan::FetchModel>(&step.action);
    if (!model || !model->unpack) return true;
    const auto record = context.journal.find(step.id);
    if (!record) return false;
    for (const auto& file : left_files(from_facts<ModelFacts>(record->facts)))
        add(paths, file.path);
    return true;
}

// All that the template names. `models_known` is false while the place of one of its models is not
// known, which may be that of an old one.
struct Wanted {
    std::set<fs::path> paths;
    bool models_known = true;
};

Wanted wanted_by(const plan::Plan& plan, const Context& context) {
    Wanted wanted;
    for (const auto& step : plan.steps) {
        if (!add_models(wanted.paths, step, context)) wanted.models_known = false;
        if (const auto* clone = std::get_if<plan::Clone>(&step.action))
            add(wanted.paths, clone->path);
        if (const auto* node = std::get_if<plan::RegistryNode>(&step.action))
            add(wanted.paths, node->path);
        if (const auto* copy = std::get_if<plan::CopyNode>(&step.action)) {
            add(wanted.paths, copy->from);
            add(wanted.paths, copy->path);
        }
        if (const auto* spec = plan::environment_of(step)) add_environment(wanted.paths, *spec);
    }
    for (const auto& service : context.pod.services)
        if (!service.cwd.empty())
            add(wanted.paths, plan::under_root(context.pod, context.places.root, service.cwd));
    return wanted;
}

// The root, or the pod's own folder, which a real path is in; empty: neither. Nothing outside of
// them is podctl's to move, wherever a link led it.
fs::path top_of(const fs::path& path, const Context& context) {
    for (const auto& top : {context.places.root, context.places.own}) {
        std::error_code failed;
        const auto folder = fs::weakly_canonical(top, failed);
        if (!failed && is_inside(path, folder)) return folder;
    }
    return {};
}

std::optional<Leftover> leftover_pack(const std::string& id, const Record& record,
                                      const Wanted& wanted, const Context& context) {
    const std::string prefix = pack_id("");
    const auto& folder = context.places.custom_nodes;
    if (!id.starts_with(prefix) || is_of_script(record) || folder.empty() ||
        from_facts<CopyFacts>(record.facts).in_place)
        return std::nullopt;
    const fs::path name = id.substr(prefix.size());
    std::error_code failed;
    if (name.empty() || name != name.filename() ||
        !fs::exists(fs::symlink_status(folder / name, failed)))
        return std::nullopt;
    const auto path = real(folder / name);
    if (top_of(path, context).empty()) return std::nullopt;
    // Checkouts that it lies in, ComfyUI's above all, do not want it.
    const bool is_wanted = std::ranges::any_of(
        wanted.paths, [&](const fs::path& other) { return is_inside(other, path); });
    if (is_wanted) return std::nullopt;
    return Leftover{.step = id, .paths = {path}, .kind = Leftover::Kind::pack};
}

std::optional<Leftover> leftover_model(const std::string& id, const Record& record,
                                       const Wanted& wanted, const Context& context) {
    if (!id.starts_with(model_prefix) || !wanted.models_known) return std::nullopt;
    Leftover leftover{.step = id, .paths = {}};
    for (const auto& file : left_files(from_facts<ModelFacts>(record.facts))) {
        const auto path = real(file.path);
        if (wanted.paths.contains(path) || top_of(path, context).empty()) continue;
        leftover.paths.push_back(path);
        leftover.names.push_back(file.name);
        leftover.size = leftover.size + Bytes{file.size};
    }
    return leftover.paths.empty() ? std::nullopt : std::optional{leftover};
}

// Whether the journal knows files of a folder that are not chosen any more. What stands there is
// not looked at.
bool may_leave_files(const plan::Step& step, const Context& context) {
    const auto* folder = std::get_if<plan::FetchFolder>(&step.action);
    const auto record = folder && folder->listing ? context.journal.find(step.id) : std::nullopt;
    if (!record) return false;
    const auto chosen = folder->chosen(*folder->listing);
    auto files = from_facts<ModelFacts>(record->facts).files;
    for (const auto& file : chosen.files)
        files.erase(file.path);
    // Where none is chosen the step is going to fail.
    return !files.empty() && !chosen.files.empty();
}

// The rest of the folder's files stays known.
void forget_files(const Leftover& leftover, Context& context) {
    auto record = context.journal.find(leftover.step);
    if (!record) return;
    auto facts = from_facts<ModelFacts>(record->facts);
    for (const auto& name : leftover.names)
        facts.files.erase(name);
    record->facts = to_facts(facts);
    context.journal.put(leftover.step, *record);
}

}  // namespace

std::vector<Leftover> find_leftovers(const plan::Plan& plan, const Context& context) {
    if (plan.is_part) return {};
    std::set<std::string> steps, leaving;
    for (const auto& step : plan.steps) {
        steps.insert(step.id);
        if (may_leave_files(step, context)) leaving.insert(step.id);
    }
    auto ids = context.journal.ids();
    std::erase_if(ids, [&](const std::string& id) { return !id.starts_with(model_prefix); });
    std::ranges::copy_if(context.journal_of_packs().ids(), std::back_inserter(ids),
                         [](const std::string& id) { return id.starts_with(pack_id("")); });
    std::erase_if(
        ids, [&](const std::string& id) { return steps.contains(id) && !leaving.contains(id); });
    std::vector<Leftover> leftovers;
    if (ids.empty()) return leftovers;  // as at most starts: the disk is not looked at
    const auto wanted = wanted_by(plan, context);
    for (const auto& id : ids) {
        const bool is_pack = id.starts_with(pack_id(""));
        const auto record = (is_pack ? context.journal_of_packs() : context.journal).find(id);
        if (!record) continue;
        auto found = leftover_pack(id, *record, wanted, context);
        if (!found) found = leftover_model(id, *record, wanted, context);
        if (!found) continue;
        if (leaving.contains(id)) found->kind = Leftover::Kind::files;
        leftovers.push_back(std::move(*found));
    }
    return leftovers;
}

std::string label_of(const Leftover& leftover) {
    return leftover.kind == Leftover::Kind::files ? leftover.step + "/*" : leftover.step;
}

std::string reason_of(const Leftover& leftover) {
    if (leftover.kind != Leftover::Kind::files) return "no longer in the template";
    return "no longer among its files: " + list_first(leftover.names, 3);
}

std::string about(const Leftover& leftover) {
    const auto reason = reason_of(leftover);
    switch (leftover.kind) {
        case Leftover::Kind::pack:
            return reason +
                   ": its packages are not resolved for, though ComfyUI loads it; --prune moves it "
                   "to .podctl/replaced";
        case Leftover::Kind::model:
            return fmt::format("{} ({}); --prune moves it to .podctl/replaced", reason,
                               format_bytes(leftover.size));
        case Leftover::Kind::files:
            return fmt::format("{} ({}); --prune moves them to .podctl/replaced", reason,
                               format_bytes(leftover.size));
    }
    return reason;
}

void tell_of_leftovers(const std::vector<Leftover>& leftovers, Context& context) {
    std::vector<std::string> models;
    Bytes size;
    for (const auto& leftover : leftovers) {
        if (leftover.kind == Leftover::Kind::pack) {
            context.notice(leftover.step, about(leftover));
            continue;
        }
        models.push_back(label_of(leftover));
        size = size + leftover.size;
    }
    if (models.empty()) return;
    context.notice("", fmt::format("no longer in the template: {} ({}); --prune moves them to "
                                   ".podctl/replaced",
                                   list_first(models, 3), format_bytes(size)));
}

void prune(const std::vector<Leftover>& leftovers, Context& context) {
    if (leftovers.empty()) return;
    const auto& places = context.places;
    const auto of_volume = new_folder_of_replaced(places.root, context);
    const auto of_packs = places.keeps_custom_nodes_on_volume()
                              ? of_volume
                              : new_folder_of_replaced(places.custom_nodes, context);
    for (const auto& leftover : leftovers) {
        const bool is_pack = leftover.kind == Leftover::Kind::pack;
        const auto& folder = is_pack ? of_packs : of_volume;
        try {
            for (const auto& path : leftover.paths) {
                // Of two archives with one member the first has taken it.
                if (!fs::exists(fs::symlink_status(path))) continue;
                const auto target = folder / path.lexically_relative(top_of(path, context));
                create_folders(target.parent_path());
                rename_durably(path, target);
            }
        } catch (const Error& error) {
            context.notice(leftover.step,
                           fmt::format("could not be moved away: {}", error.message()));
            continue;
        }
        context.notice(leftover.step,
                       fmt::format("{}: moved to {}", reason_of(leftover), folder.string()));
        if (leftover.kind == Leftover::Kind::files) {
            forget_files(leftover, context);
            continue;
        }
        (is_pack ? context.journal_of_packs() : context.journal).erase(leftover.step);
        auto& scripts = context.journal_of_environments();
        const auto script = scripts.find(leftover.step + ".install");
        if (script && is_of_script(*script)) scripts.erase(leftover.step + ".install");
    }
}

}  // namespace podctl::run

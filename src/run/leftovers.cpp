#include "leftovers.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/shorten.hpp"

#include "steps/model_record.hpp"
#include "steps/packs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;

// Every file that a model of the plan is, or may be. nullopt: that is not known of one.
std::optional<std::set<fs::path>> files_of_models(const plan::Plan& plan, const Context& context) {
    std::set<fs::path> files;
    for (const auto& step : plan.steps) {
        if (const auto* folder = std::get_if<plan::FetchFolder>(&step.action)) {
            if (!folder->listing) return std::nullopt;
            for (const auto& file : folder->chosen(*folder->listing).files)
                files.insert(folder->target / file.path);
        }
        const auto* model = std::get_if<plan::FetchModel>(&step.action);
        if (!model) continue;
        if (model->target.empty()) return std::nullopt;
        files.insert(model->target);
        const auto record = model->unpack ? context.journal.find(step.id) : std::nullopt;
        for (const auto& file : record ? left_files(*record) : std::vector<LeftFile>{})
            files.insert(file.path);
    }
    return files;
}

// Where the step stood that had this id.
std::optional<Leftover> leftover_pack(const std::string& id, const Record& record,
                                      const Context& context) {
    const std::string prefix = pack_id("");
    const auto& folder = context.places.custom_nodes;
    if (!id.starts_with(prefix) || is_of_script(record) || folder.empty()) return std::nullopt;
    const fs::path name = id.substr(prefix.size());
    std::error_code failed;
    if (name.empty() || name != name.filename() ||
        !fs::exists(fs::symlink_status(folder / name, failed)))
        return std::nullopt;
    return Leftover{.step = id, .paths = {folder / name}, .kind = Leftover::Kind::pack};
}

std::optional<Leftover> leftover_model(const std::string& id, const Record& record,
                                       const std::set<fs::path>& wanted, const Context& context) {
    if (!id.starts_with("model:")) return std::nullopt;
    Leftover leftover{.step = id};
    for (const auto& file : left_files(record)) {
        if (wanted.contains(file.path) || !is_inside(file.path, context.places.root)) continue;
        leftover.paths.push_back(file.path);
        leftover.size = leftover.size + Bytes{file.size};
    }
    return leftover.paths.empty() ? std::nullopt : std::optional{leftover};
}

}  // namespace

std::vector<Leftover> find_leftovers(const plan::Plan& plan, const Context& context) {
    if (plan.is_part) return {};
    const auto wanted = files_of_models(plan, context);
    std::set<std::string> steps;
    for (const auto& step : plan.steps)
        steps.insert(step.id);
    std::vector<Leftover> leftovers;
    for (const auto& id : context.journal.ids()) {
        if (steps.contains(id)) continue;
        const auto record = context.journal.find(id);
        if (!record) continue;
        auto found = leftover_pack(id, *record, context);
        if (!found && wanted) found = leftover_model(id, *record, *wanted, context);
        if (found) leftovers.push_back(std::move(*found));
    }
    return leftovers;
}

std::string about(const Leftover& leftover) {
    if (leftover.kind == Leftover::Kind::pack)
        return "no longer in the template: its packages are not resolved for, though ComfyUI loads "
               "it; --prune moves it to .podctl/replaced";
    return fmt::format("no longer in the template ({}); --prune moves it to .podctl/replaced",
                       format_bytes(leftover.size));
}

void tell_of_leftovers(const std::vector<Leftover>& leftovers, Context& context) {
    std::vector<std::string> models;
    Bytes size;
    for (const auto& leftover : leftovers) {
        if (leftover.kind == Leftover::Kind::pack) {
            context.notice(leftover.step, about(leftover));
            continue;
        }
        models.push_back(leftover.step);
        size = size + leftover.size;
    }
    if (models.empty()) return;
    context.notice("", fmt::format("no longer in the template: {} ({}); --prune moves them to "
                                   ".podctl/replaced",
                                   list_first(models, 3), format_bytes(size)));
}

void prune(const std::vector<Leftover>& leftovers, Context& context) {
    for (const auto& leftover : leftovers) {
        for (const auto& path : leftover.paths)
            move_aside(path, leftover.step, context);
        context.journal.erase(leftover.step);
        if (leftover.kind == Leftover::Kind::pack)
            context.journal.erase(leftover.step + ".install");
    }
}

}  // namespace podctl::run

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/comfy/comfy.hpp"
#include "podctl/fetch/civitdl.hpp"
#include "podctl/plan/plan.hpp"

#include <fmt/format.h>

namespace podctl::plan {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(const FetchModel& model, const Places& places) {
    // build_plan has moved an absolute folder under the root already.
    if (!model.folder.empty()) return (places.models / model.folder).lexically_normal();
    const auto folder = comfy::folder_of_type(model.resolved ? model.resolved->type : "");
    if (!folder) {
        const std::string type = model.resolved ? model.resolved->type : "";
        throw Error{ErrorKind::template_,
                    fmt::format("{}: no folder is known for {}", model.source.text,
                                type.empty() ? "a source without a type"
                                             : fmt::format("the type '{}'", type)),
                    "say where it belongs: {source: …, to: checkpoints}"};
    }
    return places.models / *folder;
}

// The file's name, as far as it can be told without asking: a path on Hugging Face ends in it.
std::optional<std::string> known_name(const FetchModel& model) {
    if (!model.name.empty()) return model.name;
    if (model.resolved) return safe_file_name(model.resolved->name);
    const auto* hub = std::get_if<fetch::HuggingFaceSource>(&model.source.location);
    if (!hub) return std::nullopt;
    return safe_file_name(fs::path{hub->path}.filename().string());
}

}  // namespace

void place_model(FetchModel& model, const Places& places) {
    if (model.folder.empty() && !model.resolved) return;
    if (model.unpack) {
        model.target = folder_of(model, places);
        return;
    }
    const bool by_civitdl = model.layout == tmpl::Layout::civitdl && model.name.empty();
    const auto name = known_name(model);
    if (!model.resolved && (by_civitdl || !name)) return;
    const fs::path folder = folder_of(model, places);
    if (by_civitdl) {
        model.target = folder / fetch::civitdl_path(*model.resolved);
        return;
    }
    if (!name || name->empty()) {
        throw Error{ErrorKind::template_,
                    fmt::format("{}: the source gives no file name", model.source.text),
                    "give one: {source: …, to: …, name: model.safetensors}"};
    }
    model.target = (folder / *name).lexically_normal();
}

std::string model_step_id(const FetchModel& model, const Places& places) {
    if (model.target.empty()) return "model:" + model.source.text;
    if (!places.models.empty() && is_inside(model.target, places.models)) {
        return "model:" + model.target.lexically_relative(places.models).string();
    }
    return "model:" + model.target.lexically_relative(places.root).string();
}

}  // namespace podctl::plan

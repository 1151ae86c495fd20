#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/comfy/comfy.hpp"
#include "podctl/hub/civitdl.hpp"
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
    const auto* hub = std::get_if<hub::HuggingFaceSource>(&model.source.location);
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
        model.target = folder / hub::civitdl_path(*model.resolved);
        return;
    }
    if (!name || name->empty()) {
        throw Error{ErrorKind::template_,
                    fmt::format("{}: the source gives no file name", model.source.text),
                    "give one: {source: …, to: …, name: model.safetensors}"};
    }
    model.target = (folder / *name).lexically_normal();
}

std::string model_step_id(const hub::Source& source, const fs::path& target, const Places& places) {
    if (target.empty()) return "model:" + source.text;
    if (!places.models.empty() && is_inside(target, places.models))
        return "model:" + target.lexically_relative(places.models).string();
    return "model:" + target.lexically_relative(places.root).string();
}

void check_keys(const tmpl::Model& model, const hub::Source& source) {
    const bool has_globs = !model.include.empty() || !model.exclude.empty();
    if (!hub::is_folder(source)) {
        if (!has_globs) return;
        throw Error{ErrorKind::template_,
                    fmt::format("{}: include and exclude choose from many files, and this is one",
                                source.text),
                    "a folder is written with a slash at its end: hf:ORG/REPO/FOLDER/"};
    }
    if (model.to.empty())
        throw Error{
            ErrorKind::template_,
            fmt::format("{}: brings a whole folder, which no type says a place for", source.text),
            "say where it belongs: {source: …, to: diffusers/NAME}"};
    const bool is_of_one_file = !model.name.empty() || !model.sha256.empty() || model.unpack ||
                                model.layout != tmpl::Layout::flat;
    if (is_of_one_file)
        throw Error{ErrorKind::template_,
                    fmt::format("{}: brings a whole folder, and name, sha256, layout and unpack "
                                "are of one file",
                                source.text),
                    "name the file: hf:ORG/REPO/PATH"};
}

hub::Folder FetchFolder::chosen(const hub::Folder& all) const {
    return hub::chosen_of(all, globs);
}

FetchModel FetchFolder::model_of(const hub::FolderFile& file) const {
    const auto& hub = std::get<hub::HuggingFaceSource>(source.location);
    return {.source = hub::source_of_file(hub, file),
            .resolved = file.file,
            .folder = {},
            .name = file.file.name,
            .sha256 = {},
            .allow_pickle = allow_pickle,
            .target = target / file.path};
}

std::optional<std::vector<std::filesystem::path>> model_places(const Step& step) {
    using Paths = std::vector<std::filesystem::path>;
    if (const auto* model = std::get_if<FetchModel>(&step.action)) {
        if (model->target.empty()) return std::nullopt;
        return Paths{model->target};
    }
    Paths places;
    if (const auto* folder = std::get_if<FetchFolder>(&step.action)) {
        if (!folder->listing) return std::nullopt;
        for (const auto& file : folder->chosen(*folder->listing).files)
            places.push_back(folder->target / file.path);
    }
    return places;
}

}  // namespace podctl::plan

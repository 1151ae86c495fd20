#include "launch_files.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/json.hpp"
#include "podctl/run/provision.hpp"

#include "provisioner_state.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <string>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Workflows name models by their path within the folder of their kind, with either slash.
void add_names(const json& value, std::set<std::string>& names) {
    if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        names.insert(text.substr(text.find_last_of("/\\") + 1));
    }
    if (value.is_structured())
        for (const auto& item : value)
            add_names(item, names);
}

std::vector<fs::path> files_of_models(const plan::Plan& plan) {
    std::vector<fs::path> files;
    for (const auto& step : plan.steps)
        if (const auto places = plan::model_places(step))
            files.insert(files.end(), places->begin(), places->end());
    return files;
}

}  // namespace

std::vector<fs::path> libraries_of_torch(const python::Interpreter& base) {
    std::vector<fs::path> libraries;
    for (const fs::path site : base.site_packages) {
        std::error_code failed;
        for (fs::directory_iterator it{site / "torch/lib", failed}, end; !failed && it != end;
             it.increment(failed))
            if (it->path().filename().string().find(".so") != std::string::npos)
                libraries.push_back(it->path());
    }
    return libraries;
}

std::vector<fs::path> models_named_in(std::string_view workflow, const plan::Plan& plan) {
    const auto parsed = parse_json(workflow);
    if (!parsed) return {};
    std::set<std::string> names;
    add_names(*parsed, names);
    auto files = files_of_models(plan);
    std::erase_if(files,
                  [&](const fs::path& file) { return !names.contains(file.filename().string()); });
    return files;
}

void Provisioner::read_models_ahead(const plan::Plan& plan) {
    auto& context = state_->context;
    const auto& workflow = context.pod.smoke.workflow;
    if (workflow.empty()) return;
    const auto text =
        read_file_if_exists(plan::under_root(context.pod, context.places.root, workflow));
    if (text) context.read_ahead(models_named_in(*text, plan));
}

}  // namespace podctl::run

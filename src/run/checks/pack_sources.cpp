#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "../steps/steps.hpp"
#include "machine_checks.hpp"

#include <algorithm>
#include <variant>

namespace podctl::run {
namespace {

// The folder that a step brings; empty: it brings none.
std::filesystem::path folder_of(const plan::Action& action) {
    if (const auto* clone = std::get_if<plan::Clone>(&action)) return clone->path;
    if (const auto* pack = std::get_if<plan::RegistryNode>(&action)) return pack->path;
    if (const auto* model = std::get_if<plan::FetchModel>(&action)) return model->target;
    if (const auto* folder = std::get_if<plan::FetchFolder>(&action)) return folder->target;
    return {};
}

}  // namespace

std::vector<Context::PackSource> pack_sources_of(const plan::Plan& plan) {
    std::vector<Context::PackSource> sources;
    for (const auto& step : plan.steps) {
        const auto* copied = std::get_if<plan::CopyNode>(&step.action);
        if (copied == nullptr) continue;
        const bool is_brought = std::ranges::any_of(plan.steps, [&](const plan::Step& other) {
            const auto folder = folder_of(other.action);
            return !folder.empty() && is_inside(copied->from, folder);
        });
        if (!is_brought) sources.push_back({copied->from, step.optional});
    }
    return sources;
}

void check_pack_sources(Examination& found, const std::vector<Context::PackSource>& sources) {
    for (const auto& source : sources) {
        const std::string check = "pack " + source.path.filename().string();
        try {
            require_source(source.path);
            found.ok(check, source.path.string() + " is there");
        } catch (const Error& error) {
            if (source.optional)
                found.warn(check, error.message(), error.hint());
            else
                found.fail(check, error.message(), error.hint());
        }
    }
}

}  // namespace podctl::run

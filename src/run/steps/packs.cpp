#include "packs.hpp"

#include "podctl/base/file.hpp"
#include "podctl/comfy/comfy.hpp"

#include "../facts.hpp"
#include "environment_base.hpp"

#include <algorithm>
#include <filesystem>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using plan::EnvironmentSpec;

// Those that ComfyUI loads: it passes over the others too (nodes.py).
std::vector<fs::path> packs_in(const EnvironmentSpec& spec, const Journal& journal) {
    std::vector<fs::path> packs;
    if (spec.custom_nodes.empty()) return packs;
    std::error_code failed;
    for (fs::directory_iterator it{spec.custom_nodes, failed}, end; !failed && it != end;
         it.increment(failed)) {
        const std::string name = it->path().filename();
        if (name.starts_with(".") || name.ends_with(".disabled") || !it->is_directory(failed))
            continue;
        if (!spec.left_out.contains(name) && !is_left(spec, name, journal))
            packs.push_back(it->path());
    }
    std::sort(packs.begin(), packs.end());
    return packs;
}

}  // namespace

bool is_of_script(const Record& record) {
    return !from_facts<ScriptFacts>(record.facts).inputs.empty();
}

std::string pack_id(const std::string& name) {
    return "node:" + name;
}

bool is_left(const EnvironmentSpec& spec, const std::string& name, const Journal& journal) {
    if (spec.packs->names.contains(name)) return false;
    const auto record = journal.find(pack_id(name));
    // The template named where it stood anyhow.
    return record && !is_of_script(*record) && !from_facts<CopyFacts>(record->facts).in_place;
}

std::vector<python::RequirementSource> requirement_sources(const EnvironmentSpec& spec,
                                                           const Journal& journal) {
    std::vector<python::RequirementSource> sources;
    if (!spec.comfyui.empty()) {
        sources.push_back({.file = spec.comfyui / "requirements.txt",
                           .label = "ComfyUI",
                           .inside = spec.comfyui});
        auto unlisted = comfy::unlisted_requirements(spec.comfyui);
        if (!unlisted.empty())
            sources.push_back({.file = {}, .lines = std::move(unlisted), .label = "ComfyUI"});
    }
    for (const auto& file : spec.requirement_files)
        sources.push_back({.file = file, .label = "the template"});
    if (!spec.requirement_lines.empty()) {
        sources.push_back({.file = {}, .lines = spec.requirement_lines, .label = "the template"});
    }
    for (const auto& pack : packs_in(spec, journal)) {
        const std::string name = pack.filename();
        const auto& all_ignored = spec.packs->ignored_requirements;
        const auto ignored = all_ignored.find(name);
        const auto add = [&](python::RequirementSource source) {
            source.inside = pack;
            if (ignored != all_ignored.end()) source.ignore = ignored->second;
            sources.push_back(std::move(source));
        };
        for (const auto& file : comfy::requirement_files(pack))
            add({.file = file, .label = "node " + name});
        if (auto lines = comfy::project_dependencies(pack); !lines.empty())
            add({.file = {},
                 .lines = std::move(lines),
                 .label = (pack / "pyproject.toml").string()});
    }
    return sources;
}

bool wants_pip(const EnvironmentSpec& spec, const Journal& journal) {
    return !sees_base(spec) &&
           std::ranges::any_of(packs_in(spec, journal), [](const fs::path& pack) {
               return file_stamp(pack / "install.py") || file_stamp(pack / "prestartup_script.py");
           });
}

}  // namespace podctl::run

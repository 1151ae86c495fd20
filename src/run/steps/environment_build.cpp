#include "environment_build.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/comfy/comfy.hpp"
#include "podctl/machine/machine.hpp"

#include "output_log.hpp"
#include "ways_out.hpp"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using plan::EnvironmentSpec;

// PyTorch's own wheels; torchsde and the like are pure Python and may move.
constexpr std::array torch_packages{"torch",     "torchvision", "torchaudio",
                                    "torchtext", "xformers",    "triton"};

std::string stamp_text(const fs::path& path) {
    const auto stamp = file_stamp(path);
    return stamp ? fmt::format("{}:{}", stamp->size, stamp->mtime_ns) : "none";
}

// Names of installed distributions, which carry their versions. The folder's mtime would not do:
// Python writes its __pycache__ there.
std::string distributions_digest(const std::vector<std::string>& folders) {
    Sha256 digest;
    for (const auto& folder : folders) {
        std::vector<std::string> names;
        std::error_code failed;
        for (fs::directory_iterator it{folder, failed}, end; !failed && it != end;
             it.increment(failed)) {
            std::string name = it->path().filename().string();
            if (name.ends_with("-info") || name.ends_with(".egg-link"))
                names.push_back(std::move(name));
        }
        std::sort(names.begin(), names.end());
        digest.update(folder);
        for (const auto& name : names)
            digest.update(name);
    }
    return digest.finish();
}

Record base_record(const python::Interpreter& base) {
    Record record{.fingerprint = base.version, .facts = {}};
    std::string sites;
    for (const auto& folder : base.site_packages)
        sites += (sites.empty() ? "" : "\n") + folder;
    record.facts = {{"path", base.path.string()},
                    {"stamp", stamp_text(base.path)},
                    {"sites", sites},
                    {"distributions", distributions_digest(split(sites, '\n'))}};
    return record;
}

python::Interpreter base_of(const EnvironmentSpec& spec, const Task& task) {
    auto base = task.context.pythons.interpreter(spec.settings.interpreter, task.stop);
    const Record record = base_record(base);
    if (task.context.journal.find(base_id(spec)) != record)
        task.context.journal.put(base_id(spec), record);
    return base;
}

python::Installer installer_of(const EnvironmentSpec& spec, const python::Interpreter& base,
                               const python::Settings& settings, const Task& task) {
    python::InstallerChoice choice = python::InstallerChoice::automatic;
    switch (spec.settings.installer) {
        case tmpl::Installer::automatic:
            break;
        case tmpl::Installer::uv:
            choice = python::InstallerChoice::uv;
            break;
        case tmpl::Installer::pip:
            choice = python::InstallerChoice::pip;
            break;
    }
    return task.context.pythons.installer(choice, base, task.context.places.tools, settings,
                                          task.stop);
}

bool sees_base(const EnvironmentSpec& spec) {
    return spec.settings.inherit || spec.settings.environment == tmpl::EnvironmentKind::system;
}

// Whether the image's torch is the one to run with: none other is asked for, or it is of the wheel
// tag that is (PyTorch's wheels say theirs in the local version: 2.9.0+cu128).
bool takes_torch_of(const python::Interpreter& base, const EnvironmentSpec& spec) {
    const auto torch = base.version_of("torch");
    if (!torch || !sees_base(spec)) return false;
    const std::string& wanted = spec.settings.torch;
    return wanted == "auto" || wanted == "keep" || torch->ends_with("+" + wanted);
}

std::vector<std::string> held(const EnvironmentSpec& spec, const python::Interpreter& base) {
    std::vector<std::string> names;
    if (!spec.hold_torch || !takes_torch_of(base, spec)) return names;
    for (const char* name : torch_packages) {
        if (base.version_of(name)) names.emplace_back(name);
    }
    return names;
}

// What the environment can take from the image, without a torch of the wrong build.
std::vector<python::Package> inherited(const EnvironmentSpec& spec,
                                       const python::Interpreter& base) {
    std::vector<python::Package> packages;
    if (!sees_base(spec)) return packages;
    const bool with_torch = takes_torch_of(base, spec);
    for (const auto& package : base.packages) {
        const bool is_torch = std::find(torch_packages.begin(), torch_packages.end(),
                                        package.name) != torch_packages.end();
        if (with_torch || !is_torch) packages.push_back(package);
    }
    return packages;
}

std::vector<std::string> lines_of(const std::vector<fs::path>& files,
                                  const std::vector<std::string>& lines) {
    std::vector<std::string> all = lines;
    for (const auto& file : files) {
        for (const auto& line : python::read_requirements(file))
            all.push_back(line.text);
    }
    return all;
}

// Which wheels torch comes from, when the image has none to inherit.
void choose_torch(const EnvironmentSpec& spec, const python::Interpreter& base,
                  const python::Installer& installer, const Mirrors& mirrors,
                  python::Settings& settings) {
    const std::string& wanted = spec.settings.torch;
    if (wanted == "keep" || takes_torch_of(base, spec)) return;
    const std::string tag = wanted == "auto" ? machine::torch_tag(machine::inspect_gpus()) : wanted;
    settings.torch_backend = tag;
    // uv knows the index of each tag by itself.
    const std::string index = "https://download.pytorch.org/whl/" + tag;
    if (installer.kind == python::InstallerKind::pip || mirrors.covers(index)) {
        settings.torch_index_url = mirrors.apply(index);
    }
}

// Whether a package that was installed is not in the lock any more.
bool leaves_out(const python::Lock& lock, const python::Lock& installed) {
    const auto now = names_in(lock);
    const auto before = names_in(installed);
    return !std::includes(now.begin(), now.end(), before.begin(), before.end());
}

}  // namespace

std::set<std::string> names_in(const python::Lock& lock) {
    std::set<std::string> names;
    for (const auto& pin : lock.pins) {
        names.insert(python::normalise_name(pin.substr(0, pin.find_first_of("=@ [;"))));
    }
    return names;
}

std::string base_id(const EnvironmentSpec& spec) {
    return "base:" + spec.name;
}

python::Settings settings_of(const EnvironmentSpec& spec, const Task& task) {
    python::Settings settings;
    settings.environment = task.context.child_environment();
    settings.cache = task.context.places.cache;
    const auto& mirrors = task.context.mirrors;
    if (!spec.settings.index_url.empty())
        settings.index_url = mirrors.apply(spec.settings.index_url);
    for (const auto& url : spec.settings.extra_index_urls) {
        settings.extra_index_urls.push_back(mirrors.apply(url));
    }
    for (const auto& link : spec.settings.find_links) {
        const bool is_url = link.find("://") != std::string::npos;
        settings.find_links.push_back(
            is_url ? mirrors.apply(link)
                   : plan::under_root(task.context.pod, task.context.places.root, link).string());
    }
    settings.offline = task.context.options.offline;
    return settings;
}

fs::path python_of(const EnvironmentSpec& spec, const Task& task) {
    if (spec.settings.environment == tmpl::EnvironmentKind::venv) {
        return python::environment_python(spec.path);
    }
    const auto known = task.context.journal.find(base_id(spec));
    if (known && base_unchanged(*known)) return known->fact("path");
    return base_of(spec, task).path;
}

bool base_unchanged(const Record& base) {
    return stamp_text(base.fact("path")) == base.fact("stamp") &&
           distributions_digest(split(base.fact("sites"), '\n')) == base.fact("distributions");
}

std::string installed_distributions(const EnvironmentSpec& spec, const Task& task) {
    const auto base = task.context.journal.find(base_id(spec));
    return base ? distributions_digest(split(base->fact("sites"), '\n')) : std::string{};
}

bool create_environment(const EnvironmentSpec& spec, const Task& task) {
    const auto base = base_of(spec, task);
    const auto settings = settings_of(spec, task);
    const auto installer = installer_of(spec, base, settings, task);
    if (python::finished_fingerprint(spec.path)) {
        const auto standing = python::probe(python::environment_python(spec.path), task.stop);
        const bool inherits =
            std::all_of(base.site_packages.begin(), base.site_packages.end(), [&](const auto& it) {
                const auto& sites = standing.site_packages;
                return std::find(sites.begin(), sites.end(), it) != sites.end();
            });
        if (standing.version == base.version && inherits == spec.settings.inherit) return false;
        python::mark_unfinished(spec.path);
    }
    python::create_environment({.path = spec.path, .inherit = spec.settings.inherit}, base,
                               installer, settings, task.stop);
    return true;
}

std::vector<python::RequirementSource> requirement_sources(const EnvironmentSpec& spec) {
    std::vector<python::RequirementSource> sources;
    if (!spec.comfyui.empty())
        sources.push_back({.file = spec.comfyui / "requirements.txt", .label = "ComfyUI"});
    for (const auto& file : spec.requirement_files)
        sources.push_back({.file = file, .label = "the template"});
    if (!spec.requirement_lines.empty()) {
        sources.push_back({.file = {}, .lines = spec.requirement_lines, .label = "the template"});
    }
    if (spec.custom_nodes.empty()) return sources;
    std::vector<fs::path> packs;
    std::error_code failed;
    for (fs::directory_iterator it{spec.custom_nodes, failed}, end; !failed && it != end;
         it.increment(failed)) {
        const std::string name = it->path().filename();
        // ComfyUI passes these over too (nodes.py).
        if (name.starts_with(".") || name.ends_with(".disabled") || !it->is_directory(failed))
            continue;
        packs.push_back(it->path());
    }
    std::sort(packs.begin(), packs.end());
    for (const auto& pack : packs) {
        for (const auto& file : comfy::requirement_files(pack)) {
            sources.push_back({.file = file, .label = "node " + pack.filename().string()});
        }
    }
    return sources;
}

std::string inputs_digest(const EnvironmentSpec& spec, const Task& task) {
    Sha256 digest;
    digest.update(task.step.fingerprint);
    const auto add_file = [&](const fs::path& file) {
        digest.update(file.native());
        digest.update(sha256_hex(read_file_if_exists(file).value_or("")));
    };
    for (const auto& source : requirement_sources(spec)) {
        if (!source.file.empty()) add_file(source.file);
    }
    for (const auto& file : spec.constraint_files)
        add_file(file);
    if (const auto base = task.context.journal.find(base_id(spec))) {
        digest.update(base->fingerprint + base->fact("path"));
        // Without a venv, they are what the installation itself changes.
        const bool venv = spec.settings.environment == tmpl::EnvironmentKind::venv;
        if (venv) digest.update(base->fact("distributions"));
    }
    return digest.finish();
}

fs::path lock_file(const EnvironmentSpec& spec, const Task& task) {
    const std::string prefix = "service:";
    const bool service = spec.name.starts_with(prefix);
    const std::string name = service ? "service-" + spec.name.substr(prefix.size()) : spec.name;
    return task.context.places.locks / (name + ".lock");
}

std::string resolve_environment(const EnvironmentSpec& spec, const Task& task) {
    const auto base = base_of(spec, task);
    OutputLog log{
        task.context.places.logs / (lock_file(spec, task).stem().string() + ".resolve.log"),
        redactor_of(task.context.secrets)};
    auto settings = settings_of(spec, task);
    settings.on_line = [&](const std::string& line) { log.add(line); };
    const auto installer = installer_of(spec, base, settings, task);
    choose_torch(spec, base, installer, task.context.mirrors, settings);

    python::ResolveRequest request;
    request.requirements = requirement_sources(spec);
    for (const auto& source : request.requirements) {
        if (source.file.empty() || file_stamp(source.file)) continue;
        throw Error{ErrorKind::not_found,
                    fmt::format("{} ({}) does not exist", source.file.string(), source.label),
                    "paths of requirements are relative to the volume's mount"};
    }
    // install.py of a pack calls `python -m pip`.
    if (!base.has_pip)
        request.requirements.push_back({.file = {}, .lines = {"pip"}, .label = "podctl"});
    request.constraints = lines_of(spec.constraint_files, spec.constraint_lines);
    request.overrides = spec.settings.overrides;
    request.inherited = inherited(spec, base);
    request.hold = held(spec, base);
    std::vector<python::RequirementLine> lines;
    for (const auto& source : request.requirements) {
        if (source.file.empty()) continue;
        const auto more = python::read_requirements(source.file);
        lines.insert(lines.end(), more.begin(), more.end());
    }
    if (!spec.comfyui.empty()) {
        const bool has_gpu = !machine::inspect_gpus().devices.empty();
        request.exclude = python::duplicates_to_exclude(lines, has_gpu);
    }
    request.scratch = task.context.places.staging / lock_file(spec, task).stem();
    create_folders(request.scratch);
    const auto lock = resolve_or_tell_ways_out({spec, request, base, installer, settings}, task);
    const std::string text = lock.text();
    write_file_atomically(lock_file(spec, task), text);
    return sha256_hex(text);
}

void install_environment(const EnvironmentSpec& spec, const Task& task) {
    const auto base = base_of(spec, task);
    const std::string text = read_file(lock_file(spec, task));
    const python::Lock lock = python::parse_lock(text);
    OutputLog log{
        task.context.places.logs / (lock_file(spec, task).stem().string() + ".install.log"),
        redactor_of(task.context.secrets)};
    auto settings = settings_of(spec, task);
    settings.on_line = [&](const std::string& line) { log.add(line); };
    const auto installer = installer_of(spec, base, settings, task);
    choose_torch(spec, base, installer, task.context.mirrors, settings);
    const bool venv = spec.settings.environment == tmpl::EnvironmentKind::venv;
    if (venv) python::mark_unfinished(spec.path);
    // What is no longer wanted would shadow the image's package of that name: begin anew, by links
    // from the cache.
    const fs::path installed = lock_file(spec, task).replace_extension(".installed");
    if (venv && leaves_out(lock, python::parse_lock(read_file_if_exists(installed).value_or("")))) {
        python::create_environment({.path = spec.path, .inherit = spec.settings.inherit}, base,
                                   installer, settings, task.stop);
    }
    python::install(lock, venv ? python::environment_python(spec.path) : base.path, installer,
                    settings, task.stop);
    if (!venv) return;
    write_file_atomically(installed, text);
    python::mark_finished(spec.path, sha256_hex(text));
}

std::vector<std::string> held_pins(const EnvironmentSpec& spec, const Task& task) {
    const auto base = base_of(spec, task);
    std::vector<std::string> pins;
    for (const auto& name : held(spec, base))
        pins.push_back(name + "==" + *base.version_of(name));
    return pins;
}

}  // namespace podctl::run

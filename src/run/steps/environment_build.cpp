#include "environment_build.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"
#include "podctl/comfy/comfy.hpp"
#include "podctl/machine/machine.hpp"
#include "podctl/python/generations.hpp"

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
    return task.context.pythons.installer(choice_of(spec), base, task.context.places.tools,
                                          settings, task.stop);
}

bool sees_base(const EnvironmentSpec& spec) {
    return spec.settings.inherit || spec.settings.environment == tmpl::EnvironmentKind::system;
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

// Which wheels torch comes from, when the image has none to inherit. Returns what a user should
// know of the choice.
std::string choose_torch(const EnvironmentSpec& spec, const python::Interpreter& base,
                         const python::Installer& installer, const Task& task,
                         python::Settings& settings) {
    const std::string& wanted = spec.settings.torch;
    if (wanted == "keep" || takes_torch_of(base, spec)) return {};
    const auto [tag, warning] =
        wanted == "auto" ? machine::torch_tag(task.context.gpus()) : machine::TorchTag{wanted, {}};
    const Mirrors& mirrors = task.context.mirrors;
    settings.torch_backend = tag;
    // uv knows the index of each tag by itself.
    const std::string index = "https://download.pytorch.org/whl/" + tag;
    if (installer.kind == python::InstallerKind::pip || mirrors.covers(index)) {
        settings.torch_index_url = mirrors.apply(index);
    }
    return warning;
}

// An empty environment for the next generation.
fs::path make_generation(const EnvironmentSpec& spec, const python::Interpreter& base,
                         const python::Installer& installer, const python::Settings& settings,
                         const Task& task) {
    const fs::path generation = python::next_generation(spec.path);
    python::create_environment({.path = generation, .inherit = spec.settings.inherit}, base,
                               installer, settings, task.stop);
    task.context.pythons.put_fresh(generation);
    return generation;
}

// The one that this run has made already, or a new one. What an earlier run began may hold half of
// other packages.
fs::path fresh_generation(const EnvironmentSpec& spec, const python::Interpreter& base,
                          const python::Installer& installer, const python::Settings& settings,
                          const Task& task) {
    const fs::path generation = python::next_generation(spec.path);
    if (!task.context.pythons.take_fresh(generation)) {
        make_generation(spec, base, installer, settings, task);
        task.context.pythons.take_fresh(generation);
    }
    return generation;
}

}  // namespace

std::set<std::string> names_in(const python::Lock& lock) {
    std::set<std::string> names;
    for (const auto& pin : lock.pins) {
        const auto& text = pin.requirement;
        names.insert(python::normalise_name(text.substr(0, text.find_first_of("=@ [;"))));
    }
    return names;
}

std::string base_id(const EnvironmentSpec& spec) {
    return "base:" + spec.name;
}

python::InstallerChoice choice_of(const EnvironmentSpec& spec) {
    switch (spec.settings.installer) {
        case tmpl::Installer::automatic:
            break;
        case tmpl::Installer::uv:
            return python::InstallerChoice::uv;
        case tmpl::Installer::pip:
            return python::InstallerChoice::pip;
    }
    return python::InstallerChoice::automatic;
}

bool takes_torch_of(const python::Interpreter& base, const EnvironmentSpec& spec) {
    const auto torch = base.version_of("torch");
    if (!torch || !sees_base(spec)) return false;
    const std::string& wanted = spec.settings.torch;
    return wanted == "auto" || wanted == "keep" || torch->ends_with("+" + wanted);
}

python::Settings settings_of(const EnvironmentSpec& spec, const Context& context) {
    python::Settings settings;
    settings.environment = context.child_environment();
    settings.cache = context.places.cache;
    const auto& mirrors = context.mirrors;
    if (!spec.settings.index_url.empty())
        settings.index_url = mirrors.apply(spec.settings.index_url);
    for (const auto& url : spec.settings.extra_index_urls) {
        settings.extra_index_urls.push_back(mirrors.apply(url));
    }
    for (const auto& link : spec.settings.find_links) {
        const bool is_url = link.find("://") != std::string::npos;
        settings.find_links.push_back(
            is_url ? mirrors.apply(link)
                   : plan::under_root(context.pod, context.places.root, link).string());
    }
    settings.offline = context.options.offline;
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

std::string identity_of(const EnvironmentSpec& spec, const Record& base) {
    Sha256 digest;
    digest.update(base.fingerprint + "\n" + base.fact("path") + "\n");
    if (spec.settings.inherit) digest.update(base.fact("sites"));
    return digest.finish().substr(0, 16);
}

std::optional<std::string> lock_digest(const EnvironmentSpec& spec, const Task& task) {
    const auto text = read_file_if_exists(lock_file(spec, task));
    if (!text) return std::nullopt;
    // Without the comments: who asks may change while what is installed does not.
    return sha256_hex(python::parse_lock(*text).requirements());
}

std::string wanted_fingerprint(const EnvironmentSpec& spec, const Task& task) {
    const auto base = task.context.journal.find(base_id(spec));
    const auto lock = lock_digest(spec, task);
    return base && lock ? identity_of(spec, *base) + " " + *lock : std::string{};
}

bool create_environment(const EnvironmentSpec& spec, const Task& task) {
    const auto base = base_of(spec, task);
    const auto settings = settings_of(spec, task.context);
    // Found here, so that uv is brought while the clones go on.
    const auto installer = installer_of(spec, base, settings, task);
    const auto standing = python::finished_fingerprint(spec.path);
    if (standing && standing->starts_with(identity_of(spec, base_record(base)))) return false;
    make_generation(spec, base, installer, settings, task);
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
    // The same volume in a pod with another GPU may need other wheels.
    digest.update(machine::gpu_stamp());
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

namespace {

// Before anything is installed: what would fail in the middle of it.
void tell_of_builds(const python::Lock& lock, const python::Interpreter& base,
                    const python::Installer& installer, const python::Settings& settings,
                    const fs::path& scratch, const Task& task) {
    if (has_compiler()) return;
    const auto package = python::source_only(lock, base, installer, settings, scratch, task.stop);
    if (!package) return;
    task.notice(
        fmt::format("{} comes as source alone for Python {}, and there is no C++ compiler: "
                    "if its build fails, add build-essential and python3-dev to "
                    "system_packages",
                    *package, base.version));
}

python::Lock resolve_anew(const EnvironmentSpec& spec, const Task& task) {
    const auto base = base_of(spec, task);
    OutputLog log{
        task.context.places.logs / (lock_file(spec, task).stem().string() + ".resolve.log"),
        redactor_of(task.context.secrets)};
    auto settings = settings_of(spec, task.context);
    settings.on_line = [&](const std::string& line) { log.add(line); };
    const auto installer = installer_of(spec, base, settings, task);
    const auto warning = choose_torch(spec, base, installer, task, settings);
    if (!warning.empty()) task.notice(warning);

    python::ResolveRequest request;
    request.requirements = requirement_sources(spec);
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
        const bool has_gpu = !task.context.gpus().devices.empty();
        request.exclude = python::duplicates_to_exclude(lines, has_gpu);
    }
    request.scratch = task.context.places.staging / lock_file(spec, task).stem();
    create_folders(request.scratch);
    auto lock = resolve_or_tell_ways_out({spec, request, base, installer, settings}, task);
    tell_of_builds(lock, base, installer, settings, request.scratch, task);
    return lock;
}

void require_files(const std::vector<python::RequirementSource>& sources) {
    for (const auto& source : sources) {
        if (source.file.empty() || file_stamp(source.file)) continue;
        throw Error{ErrorKind::not_found,
                    fmt::format("{} ({}) does not exist", source.file.string(), source.label),
                    "paths of requirements are relative to the volume's mount"};
    }
}

// What was resolved once is kept by what it was resolved from, so that going back to an earlier
// template needs no installer and gives the same versions.
fs::path kept_resolution(const EnvironmentSpec& spec, const Task& task) {
    return task.context.places.locks / "resolved" / (inputs_digest(spec, task) + ".lock");
}

void forget_oldest(const fs::path& folder) {
    constexpr std::size_t most_kept = 16;
    std::vector<std::pair<fs::file_time_type, fs::path>> kept;
    std::error_code failed;
    for (fs::directory_iterator it{folder, failed}, end; !failed && it != end; it.increment(failed))
        kept.emplace_back(it->last_write_time(failed), it->path());
    std::ranges::sort(kept, std::greater{});
    for (std::size_t i = most_kept; i < kept.size(); ++i)
        remove_tree(kept[i].second);
}

}  // namespace

bool has_compiler() {
    return find_program("c++") || find_program("g++") || find_program("clang++");
}

bool needs_resolution(const EnvironmentSpec& spec, const Task& task) {
    return task.context.options.update || !file_stamp(kept_resolution(spec, task));
}

std::string resolve_environment(const EnvironmentSpec& spec, const Task& task) {
    require_files(requirement_sources(spec));
    const fs::path kept = kept_resolution(spec, task);
    auto text = task.context.options.update ? std::nullopt : read_file_if_exists(kept);
    if (!text) {
        text = resolve_anew(spec, task).text();
        write_file_atomically(kept, *text);
        forget_oldest(kept.parent_path());
    }
    write_file_atomically(lock_file(spec, task), *text);
    return *lock_digest(spec, task);
}

namespace {

// torchaudio says nothing of the torch that it was built for: it loads beside the image's or it
// does not, and without it ComfyUI lacks its audio nodes. Tried once for each pair.
void check_torchaudio(const EnvironmentSpec& spec, const python::Lock& lock,
                      const python::Interpreter& base, const Task& task) {
    const auto pin = std::ranges::find_if(
        lock.pins, [](const auto& it) { return it.requirement.starts_with("torchaudio=="); });
    if (pin == lock.pins.end() || held(spec, base).empty()) return;
    const std::string id = "torchaudio:" + spec.name;
    const std::string pair =
        fmt::format("{} beside torch {}", pin->requirement, *base.version_of("torch"));
    auto known = task.context.journal.find(id);
    if (!known || known->fingerprint != pair) {
        const auto tried =
            run_captured({.argv = {python_of(spec, task).string(), "-c", "import torchaudio"}},
                         task.stop, {.timeout = std::chrono::minutes{2}});
        const auto words = split(trim(tried.output), '\n');
        known =
            Record{.fingerprint = pair,
                   .facts = {{"fails", tried.status.ok() || words.empty() ? "" : words.back()}}};
        task.context.journal.put(id, *known);
    }
    if (known->fact("fails").empty()) return;
    task.notice(
        fmt::format("{} does not load, so ComfyUI's audio nodes will be missing: {}. "
                    "python.inherit: false brings a torch and a torchaudio that match",
                    pair, known->fact("fails")));
}

}  // namespace

void install_environment(const EnvironmentSpec& spec, const Task& task) {
    const bool venv = spec.settings.environment == tmpl::EnvironmentKind::venv;
    const std::string wanted = wanted_fingerprint(spec, task);
    if (venv) {
        // It passes for whole, but somebody removed packages of it.
        if (python::finished_fingerprint(spec.path) == wanted) python::mark_unfinished(spec.path);
        if (const auto ready = python::find_generation(spec.path, wanted)) {
            python::swap_in(spec.path, *ready);
            return;
        }
    }
    const auto base = base_of(spec, task);
    const python::Lock lock = python::parse_lock(read_file(lock_file(spec, task)));
    OutputLog log{
        task.context.places.logs / (lock_file(spec, task).stem().string() + ".install.log"),
        redactor_of(task.context.secrets)};
    auto settings = settings_of(spec, task.context);
    settings.on_line = [&](const std::string& line) { log.add(line); };
    const auto installer = installer_of(spec, base, settings, task);
    choose_torch(spec, base, installer, task, settings);
    if (!venv) return python::install(lock, base.path, installer, settings, task.stop);

    const fs::path generation = fresh_generation(spec, base, installer, settings, task);
    python::install(lock, python::environment_python(generation), installer, settings, task.stop);
    python::mark_finished(generation, wanted);
    python::swap_in(spec.path, generation);
    check_torchaudio(spec, lock, base, task);
}

std::vector<std::string> held_pins(const EnvironmentSpec& spec, const Task& task) {
    const auto base = base_of(spec, task);
    std::vector<std::string> pins;
    for (const auto& name : held(spec, base))
        pins.push_back(name + "==" + *base.version_of(name));
    return pins;
}

}  // namespace podctl::run

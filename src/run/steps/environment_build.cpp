#include "environment_build.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/base/sync.hpp"
#include "podctl/python/generations.hpp"

#include "environment_base.hpp"
#include "environment_lock.hpp"
#include "environment_snapshots.hpp"
#include "output_log.hpp"
#include "packs.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using plan::EnvironmentSpec;

// An empty environment for the next generation.
fs::path make_generation(const EnvironmentSpec& spec, const Toolset& tools, const Task& task) {
    const fs::path generation = python::next_generation(spec.path);
    python::create_environment({.path = generation, .inherit = spec.settings.inherit}, tools.base,
                               tools.installer, tools.settings, task.stop);
    return generation;
}

// The one that this run has made already, or a new one: what an earlier run began may hold half of
// other packages.
fs::path fresh_generation(const EnvironmentSpec& spec, const Toolset& tools, const Task& task) {
    const fs::path begun = python::next_generation(spec.path);
    // A snapshot that was not whole may have been unpacked in its place.
    if (task.context.pythons.take_fresh(begun) && fs::exists(begun / "pyvenv.cfg")) return begun;
    return make_generation(spec, tools, task);
}

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
    auto known = task.context.journal_of_environments().find(id);
    if (!known || known->fingerprint != pair) {
        const auto tried =
            run_captured({.argv = {python_of(spec, task).string(), "-c", "import torchaudio"},
                          .environment = task.context.build_environment()},
                         task.stop, {.timeout = std::chrono::minutes{2}});
        const auto words = split(trim(tried.output), '\n');
        known = Record{
            .fingerprint = pair,
            .facts = to_facts(TorchaudioFacts{
                tried.status.ok() || words.empty() ? std::string{} : shorten_line(words.back())})};
        task.context.journal_of_environments().put(id, *known);
    }
    const auto fails = facts_in<TorchaudioFacts>(known).fails;
    if (fails.empty()) return;
    task.notice(
        fmt::format("{} does not load, so ComfyUI's audio nodes will be missing: {}. "
                    "python.inherit: false brings a torch and a torchaudio that match",
                    pair, fails));
}

}  // namespace

std::string wanted_fingerprint(const EnvironmentSpec& spec, const Task& task) {
    const auto base = task.context.journal_of_environments().find(base_id(spec));
    const auto lock = lock_digest(spec, task);
    return base && lock ? identity_of(spec, *base) + " " + *lock : std::string{};
}

python::DriftCheck drift_check(const Task& task) {
    return task.context.options.verify ? python::DriftCheck::contents : python::DriftCheck::names;
}

python::Drift drift_in(const EnvironmentSpec& spec, const Task& task) {
    return python::find_drift(spec.path, read_lock(spec, task), drift_check(task), task.stop);
}

bool create_environment(const EnvironmentSpec& spec, const Task& task) {
    base_of(spec, task);
    const auto standing = python::finished_fingerprint(spec.path);
    const auto base = task.context.journal_of_environments().find(base_id(spec));
    if (standing && base && standing->starts_with(identity_of(spec, *base))) return false;
    if (restore_environment(spec, "", task)) return true;
    // uv is brought here, while the clones go on.
    const auto tools = toolset_of(spec, task);
    task.context.pythons.put_fresh(make_generation(spec, tools, task));
    return true;
}

void install_environment(const EnvironmentSpec& spec, const std::vector<std::string>& damaged,
                         const Task& task) {
    const bool venv = spec.settings.environment == tmpl::EnvironmentKind::venv;
    const std::string wanted = wanted_fingerprint(spec, task);
    const auto lock = python::parse_lock(read_file(lock_file(spec, task)));
    if (venv) {
        const auto ready = python::find_generation(spec.path, wanted);
        // Not one that was left because somebody had changed it.
        const auto whole = [&] {
            return python::find_drift(*ready, lock, drift_check(task), task.stop).broken().empty();
        };
        if (ready && whole()) return python::swap_in(spec.path, *ready);
        if (!ready && restore_environment(spec, wanted, task)) return;
    }
    OutputLog log{
        task.context.places.logs / (lock_file(spec, task).stem().string() + ".install.log"),
        redactor_of(task.context.secrets)};
    auto tools = toolset_of(spec, task);
    tools.settings.on_line = [&](const std::string& line) { log.add(line); };
    if (!tools.settings.offline)
        python::forget_cached(damaged, tools.installer, tools.settings, task.stop);
    const auto install_into = [&](const fs::path& python) {
        python::install(lock, python, tools.installer, tools.settings, task.stop);
    };
    if (!venv) return install_into(tools.base.path);
    const fs::path generation = fresh_generation(spec, tools, task);
    install_into(python::environment_python(generation));
    if (wants_pip(spec, task.context.journal_of_packs())) python::give_pip(generation, tools.base);
    python::accept_drift(generation, lock, drift_check(task), task.stop);
    sync_file_system(generation);
    python::mark_finished(generation, wanted);
    python::swap_in(spec.path, generation);
    check_torchaudio(spec, lock, tools.base, task);
}

}  // namespace podctl::run

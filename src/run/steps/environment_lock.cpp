#include "environment_lock.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/trust.hpp"
#include "podctl/machine/machine.hpp"

#include "conflict_remedies.hpp"
#include "environment_base.hpp"
#include "optional_packs.hpp"
#include "output_log.hpp"
#include "owner.hpp"
#include "packs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using plan::EnvironmentSpec;

std::vector<std::string> lines_of(const std::vector<fs::path>& files,
                                  const std::vector<std::string>& lines) {
    std::vector<std::string> all = lines;
    for (const auto& file : files) {
        for (const auto& line : python::read_requirements(file))
            all.push_back(line.text);
    }
    return all;
}

std::vector<python::RequirementLine> lines_in(
    const std::vector<python::RequirementSource>& sources) {
    std::vector<python::RequirementLine> lines;
    for (const auto& source : sources) {
        if (source.file.empty()) continue;
        const auto more = python::read_requirements(source);
        lines.insert(lines.end(), more.begin(), more.end());
    }
    return lines;
}

python::ResolveRequest request_of(const EnvironmentSpec& spec, const python::Interpreter& base,
                                  const Task& task) {
    python::ResolveRequest request;
    request.requirements = requirement_sources(spec, task.context.journal_of_packs());
    // install.py of a pack calls `python -m pip`.
    if (!base.has_pip)
        request.requirements.push_back({.file = {}, .lines = {"pip"}, .label = "podctl"});
    request.constraints = lines_of(spec.constraint_files, spec.constraint_lines);
    request.overrides = spec.settings.overrides;
    request.inherited = inherited(spec, base);
    request.hold = held(spec, base);
    const auto gpu = task.context.gpus().devices.empty() ? python::Gpu::none : python::Gpu::present;
    request.exclude = python::duplicates_to_exclude(lines_in(request.requirements), gpu);
    request.scratch = task.context.places.scratch / lock_file(spec, task).stem();
    return request;
}

// Before anything is installed: what would fail in the middle of it.
void tell_of_builds(const python::Lock& lock, const Toolset& tools, const fs::path& scratch,
                    const Task& task) {
    if (has_compiler()) return;
    const auto package =
        python::source_only(lock, tools.base, tools.installer, tools.settings, scratch, task.stop);
    if (!package) return;
    task.notice(
        fmt::format("{} comes as source alone for Python {}, and there is no C++ compiler: "
                    "if its build fails, add build-essential and python3-dev to "
                    "system_packages",
                    *package, tools.base.version));
}

python::Lock resolve_once(const EnvironmentSpec& spec, Hints hints, const Task& task) {
    OutputLog log{
        task.context.places.logs / (lock_file(spec, task).stem().string() + ".resolve.log"),
        redactor_of(task.context.secrets)};
    auto tools = toolset_of(spec, task);
    tools.settings.on_line = [&](const std::string& line) { log.add(line); };
    tools.settings.on_notice = [&](const std::string& text) { task.notice(text); };
    const auto request = request_of(spec, tools.base, task);
    create_folders(request.scratch);
    const Attempt attempt{spec, request, tools.base, tools.installer, tools.settings};
    auto lock = hints == Hints::yes ? resolve_or_tell_ways_out(attempt, task)
                                    : python::resolve(request, tools.base, tools.installer,
                                                      tools.settings, task.stop);
    tell_of_builds(lock, tools, request.scratch, task);
    return lock;
}

void build_once(const EnvironmentSpec& spec, const python::Lock& lock, const Task& task) {
    OutputLog log{task.context.places.logs / (lock_file(spec, task).stem().string() + ".build.log"),
                  redactor_of(task.context.secrets)};
    auto tools = toolset_of(spec, task);
    tools.settings.on_line = [&](const std::string& line) { log.add(line); };
    python::build(lock, tools.base, tools.installer, tools.settings,
                  task.context.places.scratch / lock_file(spec, task).stem(), task.stop);
}

void require_files(const std::vector<python::RequirementSource>& sources) {
    for (const auto& source : sources) {
        if (source.file.empty() || file_stamp(source.file)) continue;
        throw Error{ErrorKind::not_found,
                    fmt::format("{} ({}) does not exist", source.file.string(), source.label),
                    "paths of requirements are relative to the volume's mount"};
    }
}

// The template's own files: packs and ComfyUI were judged as checkouts.
void refuse_files_of_others(const EnvironmentSpec& spec, const Task& task) {
    for (const auto& [files, key] : {std::pair{&spec.requirement_files, "requirements"},
                                     std::pair{&spec.constraint_files, "python.constraints"}}) {
        for (const auto& file : *files)
            refuse_other_owner_of_file(file, key, task.context.places);
    }
}

// What was resolved once is kept by what it was resolved from, so that going back to an earlier
// template needs no installer and gives the same versions.
fs::path kept_resolution(const std::string& inputs, const Task& task) {
    return task.context.places.resolved / (inputs + ".lock");
}

constexpr std::string_view seal_mark = "# sha256:";

// A kept resolution ends with its digest: what has lost lines would install as well as a whole one.
std::string sealed(const std::string& text) {
    return fmt::format("{}{}{}\n", text, seal_mark, sha256_hex(text));
}

// nullopt: none there, or not as it was written.
std::optional<std::string> read_sealed(const fs::path& file) {
    const auto text = read_state_file(file).text;
    const auto seal = text ? text->rfind(seal_mark) : std::string::npos;
    if (seal == std::string::npos) return std::nullopt;
    const std::string content = text->substr(0, seal);
    return sealed(content) == *text ? std::optional{content} : std::nullopt;
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

std::string inputs_digest(const EnvironmentSpec& spec, const Task& task) {
    Sha256 digest;
    digest.update(task.step.fingerprint);
    const auto add_file = [&](const fs::path& file) {
        digest.update(file.native());
        digest.update(sha256_hex(read_file_if_exists(file).value_or("")));
    };
    for (const auto& source : requirement_sources(spec, task.context.journal_of_packs())) {
        if (!source.file.empty()) add_file(source.file);
        for (const auto& line : source.lines)
            digest.update(line);
    }
    for (const auto& file : spec.constraint_files)
        add_file(file);
    // What could not be built for an optional pack may be with a compiler.
    if (!spec.packs->optional.empty() && has_compiler()) digest.update("compiler");
    // The same volume in a pod with another GPU may need other wheels.
    digest.update(machine::gpu_stamp());
    if (const auto base = task.context.journal_of_environments().find(base_id(spec))) {
        const auto interpreter = from_facts<BaseFacts>(base->facts);
        digest.update(base->fingerprint + interpreter.path.string());
        // Without a venv, they are what the installation itself changes.
        const bool venv = spec.settings.environment == tmpl::EnvironmentKind::venv;
        if (venv) digest.update(interpreter.distributions);
    }
    return digest.finish();
}

fs::path lock_file(const EnvironmentSpec& spec, const Task& task) {
    return lock_file(spec, task.context.places);
}

fs::path lock_file(const EnvironmentSpec& spec, const plan::Places& places) {
    const std::string prefix = "service:";
    const bool service = spec.name.starts_with(prefix);
    const std::string name = service ? "service-" + spec.name.substr(prefix.size()) : spec.name;
    return places.locks / (name + ".lock");
}

python::Lock read_lock(const EnvironmentSpec& spec, const Task& task) {
    return python::parse_lock(read_state_file(lock_file(spec, task)).text.value_or(""));
}

std::optional<std::string> lock_digest(const EnvironmentSpec& spec, const Task& task) {
    const auto text = read_state_file(lock_file(spec, task)).text;
    if (!text) return std::nullopt;
    // Without the comments: who asks may change while what is installed does not.
    return sha256_hex(python::parse_lock(*text).requirements());
}

Look look_at_lock(const EnvironmentSpec& spec, const Task& task) {
    const auto lock = lock_digest(spec, task);
    if (!task.record || !lock)
        return {.change = plan::Change::create, .reason = "not resolved yet"};
    if (task.context.options.update) return {.change = plan::Change::change, .reason = "--update"};
    const auto known = facts_in<LockFacts>(task.record);
    if (known.inputs.empty()) {
        return {.change = plan::Change::change, .reason = "something could not be asked before"};
    }
    if (known.inputs != inputs_digest(spec, task)) {
        return {.change = plan::Change::change, .reason = "requirements changed"};
    }
    if (known.lock != *lock) {
        return {.change = plan::Change::change, .reason = "the lock file was changed"};
    }
    return {.change = plan::Change::keep,
            .reason = "requirements are the same",
            .notice = left_out_notice(known.left_out)};
}

bool needs_resolution(const EnvironmentSpec& spec, const Task& task) {
    return task.context.options.update ||
           !file_stamp(kept_resolution(inputs_digest(spec, task), task));
}

LockFacts resolve_environment(const EnvironmentSpec& spec, const Task& task) {
    require_files(requirement_sources(spec, task.context.journal_of_packs()));
    refuse_files_of_others(spec, task);
    base_of(spec, task);  // it counts among the inputs
    // Other pods may move the packs meanwhile, whose files it is about.
    const auto inputs = inputs_digest(spec, task);
    const fs::path kept = kept_resolution(inputs, task);
    auto text = task.context.options.update ? std::nullopt : read_sealed(kept);
    bool is_whole = true;
    if (!text) {
        const auto resolved = resolve_with_optional_packs(
            spec,
            [&](const EnvironmentSpec& attempt, Hints hints) {
                return resolve_once(attempt, hints, task);
            },
            [&](const python::Lock& lock) { build_once(spec, lock, task); }, task);
        text = left_out_line(resolved.left_out) + resolved.lock.text();
        is_whole = resolved.lock.without.empty() && resolved.is_final &&
                   inputs == inputs_digest(spec, task);
        if (is_whole) {
            write_state_file(kept, sealed(*text));
            forget_oldest(kept.parent_path());
        }
    }
    std::string_view lock = *text;
    auto left_out = take_left_out(lock);
    write_state_file(lock_file(spec, task), lock);
    return {.lock = *lock_digest(spec, task),
            .inputs = is_whole ? inputs : std::string{},
            .left_out = std::move(left_out)};
}

}  // namespace podctl::run

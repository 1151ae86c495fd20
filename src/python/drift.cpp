#include "podctl/python/drift.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"
#include "podctl/base/trust.hpp"

#include "installer_command.hpp"
#include "installer_errors.hpp"
#include "resolution_input.hpp"
#include "specifier.hpp"
#include "wheel_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

constexpr const char* note_name = ".podctl-accepted";

using Distributions = std::multimap<std::string, Distribution>;  // by normalised name

Distributions distributions_in(const fs::path& environment) {
    Distributions found;
    std::error_code failed;
    for (const fs::path& folder : site_packages_of(environment)) {
        for (fs::directory_iterator at{folder, failed}, end; !failed && at != end;
             at.increment(failed))
            if (auto distribution = distribution_at(at->path())) {
                std::string name = distribution->name;
                found.emplace(std::move(name), std::move(*distribution));
            }
    }
    return found;
}

void compare(const Pin& pin, const std::string& name, const Distributions& there, Drift& drift) {
    const auto [begin, end] = there.equal_range(name);
    if (begin == end) return drift.gone.push_back(name + " is gone");
    const auto wanted = pinned_version(pin.requirement);
    const bool is_right = wanted.empty() || std::any_of(begin, end, [&](const auto& it) {
                              return same_version(it.second.version, wanted);
                          });
    if (!is_right)
        drift.replaced.push_back(
            fmt::format("{} {} in place of {}", name, begin->second.version, wanted));
}

Drift compare_names(const Distributions& there, const Lock& lock) {
    Drift drift;
    std::set<std::string> locked;
    for (const Pin& pin : lock.pins) {
        const std::string name = parse_specifier(pin.requirement).name;
        if (name.empty()) continue;  // an address that says none
        locked.insert(name);
        compare(pin, name, there, drift);
    }
    for (const auto& [name, distribution] : there)
        if (!locked.contains(name)) drift.more.push_back(name + " " + distribution.version);
    return drift;
}

std::set<std::string> accepted_in(const fs::path& environment) {
    const auto text = read_state_file(environment / note_name).text;
    const auto lines = split(text.value_or(""), '\n');
    return {lines.begin(), lines.end()};
}

// The files that are not as their installer left them, in words.
std::vector<std::string> damage_of(const fs::path& metadata, const std::stop_token& stop) {
    std::vector<std::string> damage;
    const auto record = read_file_if_exists(metadata / "RECORD");
    for (const std::string& whole : split(record.value_or(""), '\n')) {
        std::string_view line = trim(whole);
        const std::string name = take_record_field(line), digest = take_record_field(line),
                          size = take_record_field(line);
        constexpr std::string_view kind = "sha256=";
        // Bytecode has none, and RECORD itself.
        if (!digest.starts_with(kind)) continue;
        const fs::path path = metadata.parent_path() / name;
        const auto stamp = file_stamp(path);
        const bool is_right = stamp && (size.empty() || size == std::to_string(stamp->size)) &&
                              record_digest(path, stop) == digest.substr(kind.size());
        if (!is_right) damage.push_back(name + (stamp ? " was changed" : " is gone"));
    }
    return damage;
}

void compare_contents(const Distributions& there, const Lock& lock, Drift& drift,
                      const std::stop_token& stop) {
    for (const Pin& pin : lock.pins) {
        const std::string name = parse_specifier(pin.requirement).name;
        const auto [begin, end] = there.equal_range(name);
        for (auto at = begin; at != end; ++at)
            for (const std::string& damage : damage_of(at->second.metadata, stop))
                drift.changed.push_back(fmt::format("{}: {}", name, damage));
    }
}

Drift drift_in(const fs::path& environment, const Lock& lock, DriftCheck check,
               const std::stop_token& stop) {
    const auto there = distributions_in(environment);
    Drift drift = compare_names(there, lock);
    if (check == DriftCheck::contents) compare_contents(there, lock, drift, stop);
    return drift;
}

}  // namespace

std::vector<std::string> Drift::broken() const {
    std::vector<std::string> all = replaced;
    all.insert(all.end(), gone.begin(), gone.end());
    all.insert(all.end(), changed.begin(), changed.end());
    return all;
}

Drift find_drift(const fs::path& environment, const Lock& lock, DriftCheck check,
                 std::stop_token stop) {
    Drift drift = drift_in(environment, lock, check, stop);
    const auto accepted = accepted_in(environment);
    for (auto* texts : {&drift.replaced, &drift.gone, &drift.changed, &drift.more})
        std::erase_if(*texts, [&](const std::string& text) { return accepted.contains(text); });
    std::set<std::string> damaged;
    for (const std::string& text : drift.changed)
        damaged.insert(text.substr(0, text.find(':')));
    drift.damaged.assign(damaged.begin(), damaged.end());
    return drift;
}

void accept_drift(const fs::path& environment, const Lock& lock, DriftCheck check,
                  std::stop_token stop) {
    const Drift drift = drift_in(environment, lock, check, stop);
    std::string text;
    for (const auto* lines : {&drift.replaced, &drift.gone, &drift.changed, &drift.more})
        for (const std::string& line : *lines)
            text += line + "\n";
    write_state_file(environment / note_name, text);
}

void forget_cached(const std::vector<std::string>& packages, const Installer& installer,
                   const Settings& settings, std::stop_token stop) {
    if (packages.empty() || installer.kind == InstallerKind::pip) return;
    Command command = call_of(installer, settings);
    command.argv.insert(command.argv.end(), {"cache", "clean"});
    command.argv.insert(command.argv.end(), packages.begin(), packages.end());
    const Finished finished = run_installer(command, settings, stop);
    if (!finished.status.ok()) throw install_error(finished, installer, settings);
}

}  // namespace podctl::python

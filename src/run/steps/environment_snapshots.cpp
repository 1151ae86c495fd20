#include "environment_snapshots.hpp"

#include "podctl/base/debug_log.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/trust.hpp"
#include "podctl/base/units.hpp"
#include "podctl/python/drift.hpp"
#include "podctl/python/generations.hpp"
#include "podctl/python/snapshot.hpp"

#include "environment_base.hpp"
#include "environment_lock.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using plan::EnvironmentSpec;

// What goes with an environment beside its files.
struct SnapshotNote {
    std::string name;  // EnvironmentSpec::name
    std::string lock;  // the lock file
    std::map<std::string, Record> records;
};

std::string text_of(const SnapshotNote& note) {
    json records = json::object();
    for (const auto& [id, record] : note.records)
        records[id] = {{"fingerprint", record.fingerprint}, {"facts", record.facts}};
    const json text{{"name", note.name}, {"lock", note.lock}, {"records", std::move(records)}};
    // Paths need not be UTF-8.
    return text.dump(-1, ' ', false, json::error_handler_t::replace);
}

// nullopt: another version wrote it.
std::optional<SnapshotNote> parse_note(const std::string& text) {
    const auto parsed = parse_json(text);
    if (!parsed || !parsed->is_object()) return std::nullopt;
    try {
        SnapshotNote note{.name = parsed->at("name"), .lock = parsed->at("lock"), .records = {}};
        for (const auto& [id, record] : parsed->at("records").items())
            note.records[id] = {.fingerprint = record.at("fingerprint"),
                                .facts = record.at("facts").get<Facts>()};
        return note;
    } catch (const json::exception&) {
        return std::nullopt;
    }
}

SnapshotNote note_of(const EnvironmentSpec& spec, const std::vector<std::string>& steps,
                     Context& context) {
    SnapshotNote note{.name = spec.name,
                      .lock = read_state_file(lock_file(spec, context.places)).text.value_or(""),
                      .records = {}};
    auto& journal = context.journal_of_environments();
    auto ids = steps;
    ids.push_back(base_id(spec));
    ids.push_back("torchaudio:" + spec.name);
    for (const auto& id : ids)
        if (const auto record = journal.find(id)) note.records[id] = *record;
    // The interpreter's own file is another one in each image, and is looked at there.
    if (const auto base = note.records.find(base_id(spec)); base != note.records.end()) {
        auto facts = from_facts<BaseFacts>(base->second.facts);
        facts.stamp = {};
        base->second.facts = to_facts(facts);
    }
    return note;
}

// What the environment is good for: also the image's own packages, among them its torch.
std::string platform_of(const Record& base) {
    return fmt::format("{}, image {}", python::snapshot_platform(base.fingerprint),
                       from_facts<BaseFacts>(base.facts).distributions.substr(0, 12));
}

// Why a snapshot of this environment is of no use here, in words that follow "it is of". Empty: it
// fits.
std::string other_base(const SnapshotNote& note, const python::Snapshot& snapshot,
                       const EnvironmentSpec& spec, const Record& base) {
    const auto platform = platform_of(base);
    if (snapshot.platform != platform)
        return fmt::format("{}, and this is {}", snapshot.platform, platform);
    const auto was = note.records.find(base_id(spec));
    if (was == note.records.end()) return "an interpreter that is not known";
    const auto then = from_facts<BaseFacts>(was->second.facts);
    const auto now = from_facts<BaseFacts>(base.facts);
    if (then.path != now.path)
        return fmt::format("{}, and this is {}", then.path.string(), now.path.string());
    if (then.sites != now.sites || then.distributions != now.distributions)
        return "an image with other packages";
    if (!snapshot.fingerprint.starts_with(identity_of(spec, base) + " "))
        return "other settings of the environment";
    return {};
}

struct Candidate {
    python::Snapshot snapshot;
    SnapshotNote note;
};

// The newest that fits. Tells why the newest of this environment does not, where none does.
std::optional<Candidate> find_candidate(const EnvironmentSpec& spec, const std::string& fingerprint,
                                        const Task& task) {
    const auto base = task.context.journal_of_environments().find(base_id(spec));
    if (!base) return std::nullopt;
    std::string why_not;
    // Told at the first look, which is for any that fits.
    auto snapshots =
        python::find_snapshots(task.context.places.snapshots, [&](const std::string& text) {
            if (fingerprint.empty()) task.notice(text);
        });
    for (auto& snapshot : snapshots) {
        auto note = parse_note(snapshot.note);
        if (!note || note->name != spec.name) continue;
        if (task.context.told.was_told(task.context.places.snapshots / snapshot.key)) continue;
        // What stands there was left for a reason, or is the one that is to be replaced.
        if (python::finished_fingerprint(snapshot.generation)) continue;
        if (!python::is_generation_of(spec.path, snapshot.generation)) {
            if (why_not.empty())
                why_not = fmt::format("another place, {}", snapshot.generation.string());
            continue;
        }
        const auto other = other_base(*note, snapshot, spec, *base);
        if (other.empty() && (fingerprint.empty() || snapshot.fingerprint == fingerprint))
            return Candidate{std::move(snapshot), std::move(*note)};
        if (why_not.empty()) why_not = other;
    }
    if (!why_not.empty() && fingerprint.empty())
        task.notice("the snapshot on the volume is not taken: it is of " + why_not);
    return std::nullopt;
}

void prune_snapshots_in(const fs::path& folder) {
    // Those of earlier packages, for going back.
    constexpr std::size_t kept_of_each = 3;
    python::prune_snapshots(folder, kept_of_each, [](const python::Snapshot& it) {
        const auto note = parse_note(it.note);
        return fmt::format("{} {}", note ? note->name : "", it.generation.parent_path().string());
    });
}

}  // namespace

bool restore_environment(const EnvironmentSpec& spec, const std::string& fingerprint,
                         const Task& task) {
    const auto& places = task.context.places;
    if (places.keeps_environments_on_volume() || task.context.options.force) return false;
    const auto found = find_candidate(spec, fingerprint, task);
    if (!found) return false;
    const auto& [snapshot, note] = *found;
    try {
        python::unpack_snapshot(
            snapshot, places.snapshots,
            [&](std::uint64_t done, std::uint64_t total) { task.progress(done, total); },
            task.stop);
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) throw;
        if (task.context.told.is_new(places.snapshots / snapshot.key))
            task.notice(
                fmt::format("the snapshot on the volume is not taken: {}", error.message()));
        return false;
    }
    python::swap_in(spec.path, snapshot.generation);
    write_state_file(lock_file(spec, places), note.lock);
    auto& journal = task.context.journal_of_environments();
    for (const auto& [id, record] : note.records)
        if (id != base_id(spec)) journal.put(id, record);
    return true;
}

void keep_environment(const EnvironmentSpec& spec, const std::vector<std::string>& steps,
                      Context& context, const std::stop_token& stop) {
    const auto& folder = context.places.snapshots;
    const auto generation = python::current_generation(spec.path);
    const auto fingerprint = python::finished_fingerprint(spec.path);
    const auto base = context.journal_of_environments().find(base_id(spec));
    if (!generation || !fingerprint || !base) return;
    const auto known = note_of(spec, steps, context);
    const auto note = text_of(known);
    const bool is_there = std::ranges::any_of(python::find_snapshots(folder), [&](const auto& it) {
        return it.fingerprint == *fingerprint && it.generation == *generation && it.note == note &&
               python::has_its_parts(it, folder) && !context.told.was_told(folder / it.key);
    });
    if (is_there) return prune_snapshots_in(folder);
    // What others have changed is of this pod alone.
    const auto lock = python::parse_lock(known.lock);
    const auto drift = python::find_drift(spec.path, lock, python::DriftCheck::names, stop);
    if (!drift.broken().empty()) return;
    const auto made = python::pack_environment({.generation = *generation,
                                                .fingerprint = *fingerprint,
                                                .platform = platform_of(*base),
                                                .note = note,
                                                .folder = folder},
                                               stop);
    log_debug("run", [&] {
        return fmt::format("{}: a snapshot of {} is in {}", spec.name,
                           format_bytes(Bytes{made.packed()}), folder.string());
    });
    prune_snapshots_in(folder);
}

}  // namespace podctl::run

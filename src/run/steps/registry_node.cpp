#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/remove_tree.hpp"
#include "podctl/comfy/comfy.hpp"
#include "podctl/download/archive.hpp"
#include "podctl/download/download.hpp"

#include "owner.hpp"
#include "steps.hpp"

#include <fmt/format.h>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;

// The Manager knows a registry pack by this file: its file names, a line each.
fs::path tracking_of(const fs::path& pack) {
    return pack / ".tracking";
}

// Whether every file of the archive stands in the pack as it is in the archive: it was put there by
// a run that could not record it.
bool holds_all_of(const fs::path& staging, const std::string& tracking, const fs::path& pack) {
    for (const auto& name : split(tracking, '\n')) {
        if (name.empty() || fs::is_directory(staging / name)) continue;
        if (read_file_if_exists(pack / name) != read_file_if_exists(staging / name)) return false;
    }
    return fs::is_directory(pack);
}

// Another version of podctl's goes to .podctl/replaced: it may hold settings. Anybody else's only
// by force.
void clear_place(const plan::RegistryNode& action, const Task& task) {
    std::error_code failed;
    if (!fs::exists(fs::symlink_status(action.path, failed))) return;
    const auto tracking = read_file_if_exists(tracking_of(action.path));
    const bool ours = task.record && tracking &&
                      sha256_hex(*tracking) == facts_in<RegistryFacts>(task.record).tracking;
    if (!ours && !task.context.options.force) {
        throw Error{
            ErrorKind::conflict,
            fmt::format("{} is there and was not put there by podctl", action.path.string()),
            "move it away, or let --force move it to .podctl/replaced"};
    }
    task.move_aside(action.path);
}

// Returns what `.tracking` is to hold. The zip is gone afterwards, unless a stop was asked for: one
// that is damaged or hostile would be so the next time.
std::string unpack_pack(const fs::path& archive, const fs::path& staging, const Task& task) {
    std::string tracking;
    try {
        for (const auto& file :
             download::unpack(archive, staging, download::DotNames::taken, task.stop))
            tracking += file.path + "\n";
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::interrupted) download::discard(archive);
        throw;
    }
    write_file_atomically(tracking_of(staging), tracking);
    download::discard(archive);
    return tracking;
}

std::string archive_record(const plan::RegistryNode& action, const std::string& version) {
    return fmt::format("archive:registry:{}@{}", action.id, version);
}

// A version's archive is what it was when it was first fetched: one that changed since is no update
// but a replacement that nobody has announced.
void compare_with_earlier(const plan::RegistryNode& action, const std::string& version,
                          const std::string& sha256, const Task& task) {
    const auto& options = task.context.options;
    const auto earlier = task.context.journal.find(archive_record(action, version));
    const auto before = facts_in<ArchiveFacts>(earlier).sha256;
    if (before.empty() || before == sha256) return;
    const auto what = fmt::format(
        "{} {}: its archive is not the one that it was: sha256 is {}, "
        "was {}",
        action.id, version, sha256, before);
    if (!options.force && !options.update) {
        throw Error{ErrorKind::integrity, what,
                    "the registry gives other files under the same version; --update or --force "
                    "takes them"};
    }
    task.notice(what);
}

http::Request::Reach reach_of(const comfy::RegistryVersion& found, const Mirrors& mirrors) {
    using Reach = http::Request::Reach;
    return found.from_internet && !mirrors.covers(found.download_url) ? Reach::internet
                                                                      : Reach::anywhere;
}

// The archive's bytes at `archive`, and their digest.
std::string bring_archive(const plan::RegistryNode& action, const comfy::RegistryVersion& found,
                          const fs::path& archive, const Task& task) {
    auto& context = task.context;
    create_folders(archive.parent_path());
    const auto downloaded =
        context.downloader().download({.url = found.download_url,
                                       .partial = archive,
                                       .reach = reach_of(found, context.mirrors),
                                       .check_format = false,
                                       .name = action.id + ".zip"},
                                      {.retry = task.retry()}, task.stop);
    context.downloaded_bytes += downloaded.received;
    try {
        compare_with_earlier(action, found.version, downloaded.sha256, task);
    } catch (const Error&) {
        download::discard(archive);
        throw;
    }
    return downloaded.sha256;
}

}  // namespace

Look look(const plan::RegistryNode& action, const Task& task) {
    using plan::Change;
    if (!file_stamp(tracking_of(action.path))) {
        return {.change = Change::create, .reason = "from the Comfy registry"};
    }
    if (const auto foreign = other_owner(action.path, task.context.places))
        return {.change = Change::change, .reason = foreign->brief()};
    if (!task.record)
        return {.change = Change::change, .reason = "a pack stands there that is not known yet"};
    if (!task.same_fingerprint()) {
        return {.change = Change::change,
                .reason = "to " + (action.version.empty() ? "latest" : action.version)};
    }
    if (task.context.options.update && action.version.empty()) {
        return {.change = Change::change, .reason = "--update"};
    }
    return {.change = Change::keep,
            .reason = "version " + facts_in<RegistryFacts>(task.record).version};
}

Outcome perform(const plan::RegistryNode& action, const Task& task) {
    auto& context = task.context;
    if (context.options.offline) {
        throw Error{ErrorKind::network,
                    fmt::format("--offline, and {} is not there yet", action.id),
                    "run once without --offline"};
    }
    clear_other_owners(action.path, task);
    const auto found = comfy::find_in_registry(action.id, action.version, context.http(),
                                               context.mirrors, task.retry(), task.stop);
    if (!found.note.empty()) task.notice(found.note);
    comfy::refuse_by_verdict(action.id, found, action.trust);
    if (task.record && facts_in<RegistryFacts>(task.record).version == found.version &&
        file_stamp(tracking_of(action.path))) {
        return {.changed = false, .facts = task.record->facts};
    }

    const std::string key = sha256_hex(found.download_url).substr(0, 16);
    const fs::path archive = context.places.partial / (key + ".zip");
    const std::string sha256 = bring_archive(action, found, archive, task);
    const fs::path staging = context.places.staging_of(action.path) / key;
    remove_tree(staging);
    const Discarded staged{staging};
    const std::string tracking = unpack_pack(archive, staging, task);
    context.journal.put(archive_record(action, found.version),
                        {.fingerprint = found.version, .facts = to_facts(ArchiveFacts{sha256})});

    const auto facts = to_facts(RegistryFacts{
        .version = found.version, .tracking = sha256_hex(tracking), .sha256 = sha256});
    if (holds_all_of(staging, tracking, action.path)) {
        return {.changed = false, .facts = facts};
    }
    clear_place(action, task);
    create_folders(action.path.parent_path());
    rename_durably(staging, action.path);
    return {.changed = true, .facts = facts};
}

}  // namespace podctl::run

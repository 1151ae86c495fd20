#include "model.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/remove_tree.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/download/archive.hpp"
#include "podctl/download/download.hpp"
#include "podctl/download/inert.hpp"
#include "podctl/download/place.hpp"

#include "../resolution.hpp"
#include "owner.hpp"
#include "steps.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string_view>
#include <utility>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using plan::FetchModel;

fs::path partial_of(const FetchModel& model, const Task& task) {
    return task.context.places.partial / partial_name(model);
}

download::Expected expected_of(const FetchModel& model) {
    if (!model.resolved) return {.sha256 = model.sha256};
    const auto& file = *model.resolved;
    return {.sha256 = model.sha256.empty() ? file.sha256 : model.sha256,
            .git_blob = file.git_blob,
            // What the template itself says of the file outlasts another one at the hub.
            .size = model.sha256.empty() ? file.size : std::nullopt};
}

// The model with all that can be known of it before its bytes are asked for.
FetchModel resolved(const FetchModel& action, const Task& task) {
    FetchModel model = action;
    if (!model.resolved) {
        if (task.context.options.offline) {
            throw Error{
                ErrorKind::network,
                fmt::format("--offline, and {} has never been asked for", model.source.text),
                "run once without --offline"};
        }
        model.resolved = hub::resolve(model.source, task.context.http(), task.context.mirrors,
                                      task.retry(), task.stop);
    }
    // One that the journal knows has lost its note.
    const auto& note = model.resolved->note.empty() ? model.source.note : model.resolved->note;
    if (!note.empty()) task.notice(note);
    keep_resolution(model.source, *model.resolved, task.context.journal);
    if (!model.trusted)
        hub::refuse_by_verdict(*model.resolved, model.source.text, "list it in `trust`");
    plan::place_model(model, task.context.places);
    return model;
}

constexpr std::string_view the_word = "`pickle: allow`";

download::Admission admission_of(const FetchModel& model) {
    using enum download::Admission::Pickle;
    return {.source = model.source.text,
            .word = the_word,
            .pickle = model.allow_pickle ? allow : refuse};
}

// What a user has put into a model's place is his own, in whatever format. But a pickle under a
// name that promises data is a trick, wherever it came from: it is refused, and stays where it is.
void refuse_kept_pickle(const FetchModel& model, const Task& task) {
    if (model.allow_pickle) return;
    const std::string name = model.target.filename().string();
    const auto verdict = download::judge(model.target, name, task.stop);
    if (verdict.kind != download::Verdict::Kind::pickle) return;
    download::require_inert(verdict, model.source.text, name, the_word);
}

void require_network(const FetchModel& model, const Task& task) {
    const bool local = model.resolved->url.starts_with("file:");
    if (!task.context.options.offline || local) return;
    throw Error{ErrorKind::network,
                fmt::format("--offline, and {} is not there yet", model.source.text),
                "run once without --offline"};
}

download::DownloadRequest request_for(const FetchModel& model, const fs::path& partial) {
    return {.url = model.resolved->url,
            .partial = partial,
            .sha256 = expected_of(model).sha256,
            .git_blob = model.resolved->git_blob,
            .size = model.resolved->size,
            .check_format = !model.unpack,
            .name = model.unpack ? model.resolved->name : model.target.filename().string()};
}

download::DownloadMonitor monitor_of(const Task& task) {
    return {
        .on_progress = [&task](const download::Progress& it) { task.progress(it.done, it.total); },
        .retry = task.retry()};
}

download::Downloaded fetch_bytes(const FetchModel& model, const Task& task) {
    auto& context = task.context;
    require_network(model, task);
    create_folders(context.places.partial);
    const auto downloaded = context.downloader().download(
        request_for(model, partial_of(model, task)), monitor_of(task), task.stop);
    context.downloaded_bytes += downloaded.received;
    return downloaded;
}

// Told once to who waits for it, though the lease tells every second.
Lease::OnWait told_waiting(const FetchModel& model, const Task& task) {
    return [&task, name = model.target.filename().string(), is_told = false](
               const LeaseHolder& holder, std::chrono::milliseconds) mutable {
        if (std::exchange(is_told, true)) return;
        const auto who =
            holder.pid == 0 ? "" : fmt::format(" (pid {} on {})", holder.pid, holder.host);
        task.notice(fmt::format("another podctl{} brings {} into the store: waiting", who, name));
    };
}

// The file in the store, where it is now at the latest. nullopt: there is no store that it could
// come from, or nobody can tell yet which file of one it is.
std::optional<download::StoredFile> file_of_store(const FetchModel& model, const Task& task) {
    auto& context = task.context;
    const auto* own = digest_for_store(model, task).empty() ? nullptr : context.store();
    if (own == nullptr) return std::nullopt;
    using enum download::Store::Trust;
    const download::StoreRequest request{
        .download = request_for(model, {}),
        .place = model.target,
        .admission = admission_of(model),
        .trust = context.options.verify ? nothing : by_stamp,
        .before_download = [&] { require_network(model, task); },
        .on_wait = told_waiting(model, task),
        .on_notice = [&task](const std::string& fault) { task.notice(fault); }};
    const auto brought = download::bring_into_store(own->store, request, context.downloader(),
                                                    monitor_of(task), task.stop);
    if (!brought) return std::nullopt;
    context.downloaded_bytes += brought->received;
    return brought->file;
}

// Files of models/ can be placed once the checkout of ComfyUI stands.
void wait_for_place(const Task& task) {
    for (const auto& id : task.step.placed_after) {
        if (!task.wait_for || task.wait_for(id)) continue;
        throw Error{task.stop.stop_requested() ? ErrorKind::interrupted : ErrorKind::io,
                    fmt::format("{} failed, so there is no place for the file", id),
                    "what was downloaded is kept for the next run"};
    }
}

// What stands at the target, told by its content: also by what the journal says of it, where the
// hub says nothing to compare with.
download::Standing examine(const FetchModel& model, const std::optional<KnownFile>& known,
                           const Task& task) {
    using enum download::Standing::Kind;
    auto standing = download::look_at_place(model.target, expected_of(model), task.stop);
    if (standing.kind == nothing || standing.kind == no_file) return standing;
    if (standing.sha256.empty()) standing.sha256 = sha256_file(model.target, task.stop);
    const bool is_recorded = known && known->is_asked_for && standing.sha256 == known->facts.sha256;
    if (standing.kind == incomparable && is_recorded) standing.kind = same;
    return standing;
}

// How a user's file that is kept looks, so that it is not hashed at every start.
BroughtFile keep_users_file(const FetchModel& model, FileFacts facts) {
    facts.kept = file_stamp(model.target).value_or(FileStamp{});
    return {.changed = false, .facts = std::move(facts)};
}

// A file that podctl did not write, or that was changed since, is the user's. nullopt: the place is
// free.
std::optional<BroughtFile> keep_or_clear(const FetchModel& model,
                                         const std::optional<KnownFile>& known, const Task& task,
                                         const download::Standing& standing) {
    if (known && is_as_recorded(model.target, *known, standing.sha256)) return std::nullopt;
    if (task.context.options.force) {
        task.move_aside(model.target);
        return std::nullopt;
    }
    if (known && known->is_asked_for) {
        task.notice(kept_by_hand(model));
        return keep_users_file(model, known->facts);
    }
    if (standing.kind == download::Standing::Kind::incomparable) {
        download::check_model_format(model.target, model.target.filename().string());
        task.notice(fmt::format(
            "{} is there already and is kept as it is: nothing is known to compare it with",
            model.target.string()));
        return BroughtFile{.changed = false, .facts = found_facts(model, standing.sha256, known)};
    }
    const auto size = model.resolved ? model.resolved->size : std::nullopt;
    const bool size_fits = !size || size == file_stamp(model.target)->size;
    throw Error{ErrorKind::conflict,
                size_fits
                    ? fmt::format("{} is there already: its sha256 is {}, and not that of {}",
                                  model.target.string(), standing.sha256, model.source.text)
                    : fmt::format("{} is there already and has not the {} bytes that it should",
                                  model.target.string(), *size),
                "move it away, or let --force move it to .podctl/replaced"};
}

// A link of podctl's own to a file of the store that was removed there.
bool is_emptied_link(const FetchModel& model, const Task& task) {
    const auto* own = task.context.store();
    return own != nullptr && !file_stamp(model.target) && own->store.has_link_at(model.target);
}

// What stands at the target, when it is to stay there. nullopt: the place is free.
std::optional<BroughtFile> keep_what_stands(const FetchModel& model,
                                            const std::optional<KnownFile>& known,
                                            const Task& task) {
    const auto standing = examine(model, known, task);
    switch (standing.kind) {
        case download::Standing::Kind::nothing:
            return std::nullopt;
        case download::Standing::Kind::no_file:
            if (is_emptied_link(model, task)) return std::nullopt;
            // Nobody's to overwrite.
            if (!task.context.options.force)
                throw Error{ErrorKind::conflict,
                            fmt::format("{} is there and is no file", model.target.string()),
                            "is it a link to a volume that is not mounted? --force moves it to "
                            ".podctl/replaced"};
            task.move_aside(model.target);
            return std::nullopt;
        case download::Standing::Kind::same:
            download::refuse_by_content(model.target, model.target, admission_of(model), task.stop);
            return BroughtFile{.changed = false,
                               .facts = found_facts(model, standing.sha256, known)};
        case download::Standing::Kind::other:
        case download::Standing::Kind::incomparable:
            break;
    }
    auto kept = keep_or_clear(model, known, task, standing);
    if (kept) refuse_kept_pickle(model, task);
    return kept;
}

// nullopt: the store does not have it.
std::optional<BroughtFile> perform_by_store(const FetchModel& model,
                                            const std::optional<KnownFile>& known,
                                            const Task& task) {
    const bool was_emptied = is_emptied_link(model, task);
    const auto file = file_of_store(model, task);
    if (!file) return std::nullopt;
    wait_for_place(task);
    // The file's coming has filled it again: it need not be hashed once more.
    const bool is_filled = was_emptied && task.context.store()->store.has_link_at(model.target);
    if (!is_filled)
        if (auto kept = keep_what_stands(model, known, task)) return kept;
    if (!link_from_store(*file, model.target, task)) return std::nullopt;
    download::discard(partial_of(model, task));  // of a run without the store
    return BroughtFile{.changed = true, .facts = facts_of(model, file->sha256)};
}

// What was fetched is verified, and its place is free.
void place_fetched(const FetchModel& model, const download::Downloaded& downloaded,
                   const Task& task) {
    const fs::path partial = partial_of(model, task);
    const download::Store::Verified verified{.path = partial,
                                             .sha256 = downloaded.sha256,
                                             .identity = downloaded.file,
                                             .name = model.target.filename().string()};
    if (!place_through_store(verified, model.target, task))
        download::move_into_place(partial, model.target);
}

BroughtFile perform_file(const FetchModel& model, const std::optional<KnownFile>& known,
                         const Task& task) {
    download::refuse_by_name(model.target, admission_of(model));
    const fs::path partial = partial_of(model, task);
    if (auto kept = keep_what_stands(model, known, task)) {
        download::forget(partial);  // of a run that died once it was placed
        return *kept;
    }
    if (auto linked = perform_by_store(model, known, task)) return *linked;
    const auto downloaded = fetch_bytes(model, task);
    download::refuse_partial_by_content(partial, model.target, admission_of(model), task.stop);
    wait_for_place(task);
    // The checkout may have brought a file of that name.
    if (auto kept = keep_what_stands(model, known, task)) {
        download::discard(partial);
        return *kept;
    }
    place_fetched(model, downloaded, task);
    download::forget(partial);
    return {.changed = true, .facts = facts_of(model, downloaded.sha256)};
}

// An archive's files go one by one into a folder that may hold others; a file that differs is the
// user's.
void place_unpacked(const fs::path& staging, const download::UnpackedFile& file,
                    const FetchModel& model, const Task& task) {
    const fs::path target = model.target / file.path;
    const fs::path source = staging / file.path;
    if (file_stamp(target)) {
        if (sha256_file(target, task.stop) == sha256_file(source, task.stop)) return;
        if (!task.context.options.force) {
            throw Error{
                ErrorKind::conflict,
                fmt::format("{} is there already and differs from the archive's", target.string()),
                "move it away, or let --force move it to .podctl/replaced"};
        }
        task.move_aside(target);
    }
    download::move_into_place(source, target);
}

// Each file of an archive is a file by itself, whatever the archive is called.
void refuse_members(const FetchModel& model, const fs::path& staging,
                    const std::vector<download::UnpackedFile>& files, const Task& task) {
    if (model.allow_pickle) return;
    for (const auto& file : files) {
        const std::string name = fs::path{file.path}.filename().string();
        const auto verdict = download::judge(staging / file.path, name, task.stop);
        download::require_inert(verdict, model.source.text + " holds " + shorten_middle(file.path),
                                name, the_word);
    }
}

// What is refused leaves no byte; what was stopped may go on.
std::vector<download::UnpackedFile> unpack_or_discard(const FetchModel& model,
                                                      const fs::path& archive,
                                                      const fs::path& staging, const Task& task) {
    try {
        auto files = download::unpack(archive, staging, download::DotNames::refused, task.stop);
        refuse_members(model, staging, files, task);
        return files;
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::interrupted) download::discard(archive);
        throw;
    }
}

Outcome perform_archive(const FetchModel& model, const Task& task) {
    const auto downloaded = fetch_bytes(model, task);
    const fs::path archive = partial_of(model, task);
    const fs::path staging = task.context.places.staging / archive.stem();
    remove_tree(staging);
    const Discarded staged{staging};
    const auto files = unpack_or_discard(model, archive, staging, task);
    wait_for_place(task);
    ModelFacts facts{.path = model.target};
    for (const auto& file : files) {
        place_unpacked(staging, file, model, task);
        facts.files[file.path] = {.size = file.size};
    }
    download::discard(archive);
    facts.file = facts_of(model, downloaded.sha256);
    return {.changed = true, .facts = to_facts(facts)};
}

}  // namespace

std::string partial_name(const FetchModel& model) {
    const std::string url = model.resolved ? model.resolved->url : model.source.text;
    return sha256_hex(url).substr(0, 32) + ".part";
}

BroughtFile bring_file(const FetchModel& model, const std::optional<KnownFile>& known,
                       const Task& task) {
    require_way(model.target, task);
    return perform_file(model, known, task);
}

Outcome perform(const FetchModel& action, const Task& task) {
    const FetchModel model = resolved(action, task);
    if (!model.unpack) {
        const auto [changed, file] = bring_file(model, known_file(task), task);
        return {.changed = changed, .facts = to_facts(ModelFacts{model.target, file})};
    }
    require_way(model.target, task);
    return perform_archive(model, task);
}

}  // namespace podctl::run

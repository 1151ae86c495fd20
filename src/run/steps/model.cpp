#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/remove_tree.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/download/archive.hpp"
#include "podctl/download/download.hpp"
#include "podctl/download/inert.hpp"

#include "../resolution.hpp"
#include "model_record.hpp"
#include "owner.hpp"
#include "steps.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <string_view>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using plan::Change;
using plan::FetchModel;

fs::path partial_of(const FetchModel& model, const Task& task) {
    return task.context.places.partial / partial_name(model);
}

std::string expected_sha256(const FetchModel& model) {
    if (!model.sha256.empty()) return model.sha256;
    return model.resolved ? model.resolved->sha256 : std::string{};
}

// A small file of Hugging Face has no other digest.
bool has_git_blob(const FetchModel& model) {
    return expected_sha256(model).empty() && model.resolved && !model.resolved->git_blob.empty();
}

// Bytes that a partial file has, and those that its file system holds for it: a download may
// reserve its size, or leave holes.
struct Partial {
    std::uint64_t present = 0, reserved = 0;
};
Partial partial_now(const FetchModel& model, const Task& task) {
    const auto partial = partial_of(model, task);
    const auto present = download::bytes_present(partial);
    struct stat status {};
    if (::stat(partial.c_str(), &status) != 0) return {};
    // stat(2) counts blocks of 512 bytes.
    return {present, std::max(present, static_cast<std::uint64_t>(status.st_blocks) * 512)};
}

void bill(const FetchModel& model, const Task& task, Look& look) {
    if (!model.resolved) return;
    const auto size =
        model.resolved->size ? model.resolved->size : model.resolved->approximate_size;
    if (!size) return;
    const auto partial = partial_now(model, task);
    look.download = Bytes{*size - std::min(*size, partial.present)};
    look.disk = Bytes{*size - std::min(*size, partial.reserved)};
    // An archive and what comes out of it lie there together for a while.
    if (model.unpack) look.disk = look.disk + Bytes{*size};
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

// By the name alone, before a byte is asked for.
void refuse_by_name(const FetchModel& model) {
    if (model.allow_pickle || model.unpack) return;
    const std::string name = model.target.filename().string();
    download::require_inert(download::judge_name(name), model.source.text, name, the_word);
}

// By what `file` holds, which is going to have the target's name or has it.
void refuse_by_content(const FetchModel& model, const fs::path& file, const Task& task) {
    if (model.allow_pickle) return;
    const std::string name = model.target.filename().string();
    download::require_inert(download::judge(file, name, task.stop), model.source.text, name,
                            the_word);
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

// What is refused leaves no byte; what was stopped may go on.
void take_or_discard(const FetchModel& model, const Task& task, const std::function<void()>& look) {
    try {
        look();
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::interrupted) download::discard(partial_of(model, task));
        throw;
    }
}

bool has_lost_its_word(const FetchModel& model, const Task& task) {
    return !model.allow_pickle && task.record && task.record->fact("pickle") == "allowed";
}

download::Downloaded fetch_bytes(const FetchModel& model, const Task& task) {
    auto& context = task.context;
    const bool local = model.resolved->url.starts_with("file:");
    if (context.options.offline && !local) {
        throw Error{ErrorKind::network,
                    fmt::format("--offline, and {} is not there yet", model.source.text),
                    "run once without --offline"};
    }
    create_folders(context.places.partial);
    download::DownloadRequest request{
        .url = model.resolved->url,
        .partial = partial_of(model, task),
        .sha256 = expected_sha256(model),
        .git_blob = model.resolved->git_blob,
        .size = model.resolved->size,
        .check_format = !model.unpack,
        .name = model.unpack ? model.resolved->name : model.target.filename().string()};
    download::DownloadMonitor monitor{
        .on_progress = [&task](const download::Progress& it) { task.progress(it.done, it.total); },
        .retry = task.retry()};
    const auto downloaded = context.downloader().download(request, monitor, task.stop);
    context.downloaded_bytes += downloaded.received;
    return downloaded;
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

enum class Standing { nothing, wanted, unwanted };

// What stands at the target, told by its content.
Standing examine(const FetchModel& model, const Task& task, std::string& sha256) {
    if (!file_stamp(model.target)) return Standing::nothing;
    sha256 = sha256_file(model.target, task.stop);
    const std::string expected = expected_sha256(model);
    if (!expected.empty()) return sha256 == expected ? Standing::wanted : Standing::unwanted;
    if (has_git_blob(model)) {
        const bool is_it = git_blob_id_of_file(model.target, task.stop) == model.resolved->git_blob;
        return is_it ? Standing::wanted : Standing::unwanted;
    }
    const bool recorded = task.same_fingerprint() && sha256 == task.record->fact("sha256");
    return recorded ? Standing::wanted : Standing::unwanted;
}

// How a user's file that is kept looks, so that it is not hashed at every start.
Outcome keep_users_file(const FetchModel& model, Facts facts) {
    const auto stamp = file_stamp(model.target).value_or(FileStamp{});
    facts["kept"] = fmt::format("{}:{}", stamp.size, stamp.mtime_ns);
    return {.changed = false, .facts = std::move(facts)};
}

bool is_kept_users_file(const FetchModel& model, const Task& task) {
    const auto stamp = file_stamp(model.target);
    return task.same_fingerprint() && stamp && !task.context.options.force &&
           task.record->fact("kept") == fmt::format("{}:{}", stamp->size, stamp->mtime_ns);
}

std::string kept_by_hand(const FetchModel& model) {
    return fmt::format("{} was changed by hand: kept; --force fetches it again",
                       model.target.string());
}

// A file that podctl did not write, or that was changed since, is the user's. nullopt: the place is
// free.
std::optional<Outcome> keep_or_clear(const FetchModel& model, const Task& task,
                                     const std::string& sha256) {
    if (task.record && is_as_recorded(model.target, *task.record, sha256)) return std::nullopt;
    if (task.context.options.force) {
        task.move_aside(model.target);
        return std::nullopt;
    }
    if (task.same_fingerprint()) {
        task.notice(kept_by_hand(model));
        return keep_users_file(model, task.record->facts);
    }
    const auto size = model.resolved ? model.resolved->size : std::nullopt;
    const bool size_fits = !size || size == file_stamp(model.target)->size;
    const bool is_comparable = !expected_sha256(model).empty() || has_git_blob(model);
    if (!is_comparable && size_fits) {
        download::check_model_format(model.target, model.target.filename().string());
        task.notice(fmt::format(
            "{} is there already and is kept as it is: nothing is known to compare it with",
            model.target.string()));
        return Outcome{.changed = false, .facts = found_facts(model, sha256, task)};
    }
    throw Error{ErrorKind::conflict,
                size_fits
                    ? fmt::format("{} is there already: its sha256 is {}, and not that of {}",
                                  model.target.string(), sha256, model.source.text)
                    : fmt::format("{} is there already and has not the {} bytes that it should",
                                  model.target.string(), *size),
                "move it away, or let --force move it to .podctl/replaced"};
}

// A folder, or a link to nothing: no file to look at, and nobody's to overwrite.
void clear_what_is_no_file(const FetchModel& model, const Task& task) {
    std::error_code failed;
    if (file_stamp(model.target) || !fs::exists(fs::symlink_status(model.target, failed))) return;
    if (!task.context.options.force) {
        throw Error{
            ErrorKind::conflict, fmt::format("{} is there and is no file", model.target.string()),
            "is it a link to a volume that is not mounted? --force moves it to .podctl/replaced"};
    }
    task.move_aside(model.target);
}

Outcome perform_file(const FetchModel& model, const Task& task) {
    refuse_by_name(model);
    clear_what_is_no_file(model, task);
    std::string sha256;
    switch (examine(model, task, sha256)) {
        case Standing::wanted:
            refuse_by_content(model, model.target, task);
            download::forget(partial_of(model, task));  // of a run that died once it was placed
            return {.changed = false, .facts = found_facts(model, sha256, task)};
        case Standing::unwanted:
            if (auto kept = keep_or_clear(model, task, sha256)) {
                refuse_kept_pickle(model, task);
                return *kept;
            }
            break;
        case Standing::nothing:
            break;
    }
    const auto downloaded = fetch_bytes(model, task);
    take_or_discard(model, task, [&] { refuse_by_content(model, partial_of(model, task), task); });
    wait_for_place(task);
    // The checkout may have brought a file of that name.
    if (file_stamp(model.target) && examine(model, task, sha256) == Standing::unwanted) {
        if (auto kept = keep_or_clear(model, task, sha256)) {
            refuse_kept_pickle(model, task);
            return *kept;
        }
    }
    move_into_place(partial_of(model, task), model.target);
    download::forget(partial_of(model, task));
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
    move_into_place(source, target);
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

Outcome perform_archive(const FetchModel& model, const Task& task) {
    const auto downloaded = fetch_bytes(model, task);
    const fs::path archive = partial_of(model, task);
    const fs::path staging = task.context.places.staging / archive.stem();
    remove_tree(staging);
    const Discarded staged{staging};
    std::vector<download::UnpackedFile> files;
    take_or_discard(model, task, [&] {
        files = download::unpack(archive, staging, download::DotNames::refused, task.stop);
        refuse_members(model, staging, files, task);
    });
    wait_for_place(task);
    std::vector<std::pair<std::string, std::uint64_t>> sizes;
    for (const auto& file : files) {
        place_unpacked(staging, file, model, task);
        sizes.emplace_back(file.path, file.size);
    }
    download::discard(archive);
    auto facts = facts_of(model, downloaded.sha256);
    facts["files"] = fact_of_unpacked(sizes);
    return {.changed = true, .facts = std::move(facts)};
}

}  // namespace

std::string partial_name(const FetchModel& model) {
    const std::string url = model.resolved ? model.resolved->url : model.source.text;
    return sha256_hex(url).substr(0, 32) + ".part";
}

Look look(const FetchModel& model, const Task& task) {
    Look missing{
        .change = Change::create,
        .reason = model.resolved ? model.source.text : told_of_unknown(model.source, task.context)};
    bill(model, task, missing);
    if (model.target.empty() || !is_way_followed(model.target, task)) return missing;
    if (has_lost_its_word(model, task)) {
        missing.change = Change::change;
        missing.reason = "to be looked at without the word that it was brought with";
        return missing;
    }
    if (model.unpack) {
        const bool there = task.same_fingerprint() && unpacked_agrees(model, *task.record);
        return there ? Look{.change = Change::keep, .reason = "unpacked"} : missing;
    }
    if (!file_stamp(model.target)) return missing;
    if (is_kept_users_file(model, task)) {
        return {.change = Change::keep, .reason = "changed by hand", .notice = kept_by_hand(model)};
    }
    if (task.context.options.verify) {
        return {.change = Change::change, .reason = "to be verified", .download = Bytes{}};
    }
    if (task.same_fingerprint() && stamp_agrees(model.target, *task.record)) {
        return {.change = Change::keep,
                .reason = "sha256 " + task.record->fact("sha256").substr(0, 12)};
    }
    return {.change = Change::change,
            .reason = "a file stands there that is not verified yet",
            .download = Bytes{}};
}

Outcome bring_file(const FetchModel& model, const Task& task) {
    require_way(model.target, task);
    return perform_file(model, task);
}

Outcome perform(const FetchModel& action, const Task& task) {
    const FetchModel model = resolved(action, task);
    if (!model.unpack) return bring_file(model, task);
    require_way(model.target, task);
    return perform_archive(model, task);
}

}  // namespace podctl::run

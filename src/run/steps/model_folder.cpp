#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/base/thread.hpp"
#include "podctl/download/inert.hpp"

#include "../resolution.hpp"
#include "model.hpp"
#include "steps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>
#include <vector>

namespace podctl::run {
namespace {

using plan::Change;
using plan::FetchFolder;

// At once. What they take from the network is bounded by the connections that all downloads share;
// small files, of which a folder has many, wait for answers most of the time.
constexpr std::size_t most_files_at_once = 8;

hub::Folder listing_of(const FetchFolder& action, const Task& task) {
    if (action.listing) return *action.listing;
    if (task.context.options.offline)
        throw Error{ErrorKind::network,
                    fmt::format("--offline, and {} has never been asked for", action.source.text),
                    "run once without --offline"};
    return hub::list_folder(action.source, task.context.http(), task.context.mirrors, task.retry(),
                            task.stop);
}

// All of them, before a byte is asked for.
void refuse_by_names(const FetchFolder& action, const hub::Folder& chosen) {
    if (action.allow_pickle) return;
    std::vector<std::string> refused;
    for (const auto& file : chosen.files)
        if (download::judge_name(file.file.name).kind != download::Verdict::Kind::inert)
            refused.push_back(file.path);
    if (refused.empty()) return;
    throw Error{
        ErrorKind::template_,
        fmt::format("{}: loading {} can run the code in {}", action.source.text,
                    list_first(refused, 5), refused.size() == 1 ? "it" : "them"),
        "leave them out (`exclude: [\"*.bin\"]`), or write `pickle: allow` for a maker whom "
        "you trust"};
}

// Why the files that are chosen cannot be brought, as far as their names tell.
std::optional<Error> fault_of(const FetchFolder& action, const hub::Folder& all,
                              const hub::Folder& chosen) {
    if (auto error = hub::impossible_in(chosen, action.source.text, "`exclude`")) return error;
    if (!chosen.files.empty()) return std::nullopt;
    return Error{ErrorKind::not_found,
                 all.files.empty()
                     ? fmt::format("{}: there is no file", action.source.text)
                     : fmt::format("{}: none of its {} files is chosen by include and exclude",
                                   action.source.text, all.files.size()),
                 "their paths begin at the folder: `vae/*`, `*.safetensors`"};
}

// What tells a file of one commit from that of another: most stay the same.
std::string identity_of(const hub::FolderFile& file) {
    const auto& known = file.file;
    const auto& digest = known.sha256.empty() ? known.git_blob : known.sha256;
    return digest.empty() ? known.url : digest;
}

// One file's share of the step's record: asked for while the file is the same, whatever else of the
// folder has changed.
std::optional<KnownFile> known_of(const ModelFacts& known, const hub::FolderFile& file) {
    const auto facts = known.files.find(file.path);
    if (facts == known.files.end()) return std::nullopt;
    return KnownFile{known.path / file.path, facts->second, facts->second.of == identity_of(file)};
}

std::uint64_t size_of(const hub::Folder& folder) {
    return std::transform_reduce(
        folder.files.begin(), folder.files.end(), std::uint64_t{0}, std::plus{},
        [](const hub::FolderFile& file) { return file.file.size.value_or(0); });
}

// Brings the files, some at once; the step's progress is that of all of them.
class FolderFetch {
public:
    FolderFetch(const FetchFolder& action, const hub::Folder& folder, const Task& task)
        : action_(action),
          folder_(folder),
          task_(task),
          known_(facts_in<ModelFacts>(task.record)),
          total_(size_of(folder)),
          done_(folder.files.size()) {}

    Outcome run() {
        {
            std::vector<std::jthread> workers;
            const auto most = std::min(folder_.files.size(), most_files_at_once);
            for (std::size_t i = 0; i < most; ++i)
                workers.push_back(
                    start_thread([this](const std::stop_token&) { work(); },
                                 [this](const std::exception_ptr& failure) { fail(failure); }));
        }
        if (failure_) {
            keep_what_came();
            std::rethrow_exception(failure_);
        }
        keep_what_is_left();
        return {.changed = changed_, .facts = facts_with(std::move(files_))};
    }

private:
    Facts facts_with(FilesFacts files) const {
        return to_facts(ModelFacts{
            .path = action_.target, .revision = folder_.revision, .files = std::move(files)});
    }

    // What is there and not chosen any more stays known for podctl's own: it is a leftover now, and
    // may be wanted again.
    void keep_what_is_left() {
        for (const auto& [path, facts] : known_.files)
            if (!files_.contains(path) && file_stamp(action_.target / path))
                files_.emplace(path, facts);
    }

    // So that the next run knows what this one has placed for podctl's own.
    void keep_what_came() {
        if (files_.empty()) return;
        FilesFacts files = known_.files;
        for (const auto& [path, facts] : files_)
            files[path] = facts;
        task_.context.journal.put(task_.step.id,
                                  {.fingerprint = {}, .facts = facts_with(std::move(files))});
    }

    // Where one has failed, no other is begun; those that have are let come to their end.
    void work() {
        for (;;) {
            const std::size_t index = next_++;
            if (index >= folder_.files.size() || has_failed_) return;
            bring(index);
        }
    }

    void bring(std::size_t index) {
        const auto& file = folder_.files[index];
        Task part = task_;
        part.on_part = [this, index](std::uint64_t done) { report(index, done); };
        auto brought = bring_file(action_.model_of(file), known_of(known_, file), part);
        report(index, file.file.size.value_or(0));
        const std::scoped_lock lock{mutex_};
        changed_ |= brought.changed;
        brought.facts.of = identity_of(file);
        files_[file.path] = std::move(brought.facts);
    }

    void report(std::size_t index, std::uint64_t done) {
        std::uint64_t all = 0;
        {
            const std::scoped_lock lock{mutex_};
            all_done_ += done - done_[index];
            done_[index] = done;
            all = all_done_;
        }
        task_.progress(all, total_);
    }

    void fail(const std::exception_ptr& failure) {
        const std::scoped_lock lock{mutex_};
        has_failed_ = true;
        if (!failure_) failure_ = failure;
    }

    const FetchFolder& action_;
    const hub::Folder& folder_;
    const Task& task_;
    const ModelFacts known_;
    const std::uint64_t total_;
    std::atomic<std::size_t> next_ = 0;
    std::atomic<bool> has_failed_ = false;
    std::mutex mutex_;
    // Under mutex_:
    std::vector<std::uint64_t> done_;
    std::uint64_t all_done_ = 0;
    FilesFacts files_;
    bool changed_ = false;
    std::exception_ptr failure_;
};

}  // namespace

Look look(const FetchFolder& action, const Task& task) {
    if (!action.listing)
        return {.change = Change::create, .reason = told_of_unknown(action.source, task.context)};
    const auto chosen = action.chosen(*action.listing);
    if (const auto error = fault_of(action, *action.listing, chosen))
        return {.change = Change::create, .reason = error->message()};
    const auto known = facts_in<ModelFacts>(task.record);
    Look all{.change = Change::keep, .reason = {}};
    std::size_t missing = 0, changed = 0;
    for (const auto& file : chosen.files) {
        if (task.stop.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
        const Look found = look_at_file(action.model_of(file), known_of(known, file), task);
        if (all.notice.empty()) all.notice = found.notice;
        if (found.change == Change::keep) continue;
        ++(found.change == Change::create ? missing : changed);
        all.download = all.download.value_or(Bytes{}) + found.download.value_or(Bytes{});
        all.disk = all.disk + found.disk;
        all.store = all.store + found.store;
    }
    const auto count = chosen.files.size();
    const auto commit = chosen.revision.substr(0, 9);
    if (missing == 0 && changed == 0) {
        all.reason = fmt::format("{} files at {}", count, commit);
    } else {
        all.change = missing == count ? Change::create : Change::change;
        all.reason = missing == count
                         ? fmt::format("{}: {} files at {}", action.source.text, count, commit)
                         : fmt::format("{} of {} files are missing, {} to be looked at", missing,
                                       count, changed);
    }
    return all;
}

Outcome perform(const FetchFolder& action, const Task& task) {
    const auto all = listing_of(action, task);
    const auto chosen = action.chosen(all);
    keep_listing(action.source, all, task.context.journal);
    if (const auto error = fault_of(action, all, chosen)) throw *error;
    refuse_by_names(action, chosen);
    return FolderFetch{action, chosen, task}.run();
}

}  // namespace podctl::run

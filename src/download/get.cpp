#include "podctl/download/get.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/trust.hpp"
#include "podctl/download/civitdl_metadata.hpp"
#include "podctl/download/place.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

namespace podctl::download {

namespace fs = std::filesystem;

struct Getter::Job {
    const GetRequest& request;
    const GetMonitor& monitor;
    std::stop_token stop;
    hub::ResolvedFile resolved = {};
    std::string sha256 = {};                 // expected; may be empty
    std::optional<std::uint64_t> size = {};  // as far as it is known
    fs::path target = {};                    // empty: the server has to say its name
    Got result = {};

    void notice(const std::string& text) const {
        if (!text.empty() && monitor.on_notice) monitor.on_notice(text);
    }
};

namespace {

// Where the file goes, relative to the folder. Empty: nobody has said a name so far.
fs::path place_of(const GetRequest& request, const hub::ResolvedFile& file,
                  const std::string& server_name) {
    if (!request.name.empty()) return safe_file_name(request.name);
    if (request.layout != NameLayout::flat && file.version_id > 0)
        return hub::civitdl_path(file, request.layout == NameLayout::civitdl_tags
                                           ? hub::CivitdlSorter::tags
                                           : hub::CivitdlSorter::basic);
    const std::string given = safe_file_name(server_name);
    return given.empty() ? safe_file_name(file.name) : given;
}

constexpr std::string_view the_word = "--allow-pickle";

Admission admission_of(const GetRequest& request) {
    return {.source = request.source.text,
            .word = the_word,
            .pickle = request.pickle == GetRequest::Pickle::allow ? Admission::Pickle::allow
                                                                  : Admission::Pickle::refuse};
}

// Whether to fetch it, with an eye on what stands at its place. Without a digest to compare with,
// a file of the same size is taken for it.
bool is_wanted(Getter::Job& job) {
    const bool replaces = job.request.existing == GetRequest::Existing::replace;
    auto standing = look_at_place(
        job.target, {.sha256 = job.sha256, .git_blob = job.resolved.git_blob, .size = job.size},
        job.stop);
    job.result.sha256 = std::move(standing.sha256);
    switch (standing.kind) {
        case Standing::Kind::nothing:
            return true;
        case Standing::Kind::same:
            return false;
        case Standing::Kind::incomparable:
            if (replaces) return true;
            if (!job.size) break;
            job.notice(fmt::format(
                "{} is there already and is kept as it is: nothing is known to compare it with; "
                "--force fetches it again",
                job.target.string()));
            return false;
        case Standing::Kind::other:
            if (replaces) return true;
            break;
        case Standing::Kind::no_file:
            break;
    }
    throw Error{ErrorKind::conflict,
                fmt::format("{} is there already and is another file", job.target.string()),
                "move it away, name another folder, or replace it with --force"};
}

fs::path partial_of(const Getter::Job& job) {
    return job.request.folder /
           fmt::format(".{}.podctl-part", sha256_hex(job.resolved.url).substr(0, 16));
}

// Where others may rename, what was renamed need not be what was verified. A file of a store has
// been judged there; symbolic links to one are not made in such a folder.
enum class As { file, link };
void require_verified(const fs::path& target, const FileIdentity& verified, As placed_as) {
    const Place place = place_beneath(target, Missing::fail);
    if (!place.folder) throw system_error("looking at " + target.string(), errno);
    if (!others_may_replace_in(place.folder.get())) return;
    const Fd placed{
        ::openat(place.folder.get(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
    struct stat status {};
    const bool is_it = placed && ::fstat(placed.get(), &status) == 0 &&
                       FileIdentity{status.st_dev, status.st_ino} == verified;
    if (is_it && (placed_as == As::link ||
                  reason_to_distrust_file(placed.get(), place.folder.get()).empty()))
        return;
    ::unlinkat(place.folder.get(), place.name.c_str(), 0);
    throw Error{ErrorKind::integrity,
                fmt::format("{} was replaced by another user while it was placed", target.string()),
                "fetch it into a folder where nobody else may write"};
}

void require_free(const Getter::Job& job) {
    if (job.request.existing == GetRequest::Existing::keep &&
        fs::exists(fs::symlink_status(job.target)))
        throw Error{ErrorKind::conflict,
                    fmt::format("{} has come there meanwhile", job.target.string()),
                    "run it again: it compares the two"};
}

void place(const Getter::Job& job, const FileIdentity& verified) {
    require_free(job);
    create_folders(job.target.parent_path());
    // The very file that was verified, which a copy is not.
    rename_durably(partial_of(job), job.target);
    require_verified(job.target, verified, As::file);
    forget(partial_of(job));
}

DownloadRequest request_for(const Getter::Job& job) {
    return {.url = job.resolved.url,
            .partial = partial_of(job),
            .sha256 = job.sha256,
            .git_blob = job.resolved.git_blob,
            .size = job.resolved.size,
            .name = job.target.filename().string()};
}

Lease::OnWait told_waiting(const Getter::Job& job) {
    return [&job, is_told = false](const LeaseHolder& holder, std::chrono::milliseconds) mutable {
        if (std::exchange(is_told, true)) return;
        const auto who =
            holder.pid == 0 ? "" : fmt::format(" (pid {} on {})", holder.pid, holder.host);
        job.notice(fmt::format("another podctl{} brings {} into the store: waiting", who,
                               job.target.filename().string()));
    };
}

// False: the file has gone from the store meanwhile.
bool link_to_place(const Getter::Job& job, const Store& store, const StoredFile& file) {
    require_free(job);
    const auto linked = store.link(file, job.target, this_machine(), job.stop);
    if (!linked) return false;
    require_verified(job.target, linked->file, As::link);
    if (linked->kind == LinkKind::copy)
        job.notice(fmt::format("{} is a copy: its file system knows no links to the store's",
                               job.target.string()));
    return true;
}

}  // namespace

void Getter::look_up(Job& job) {
    job.resolved = job.request.resolved ? *job.request.resolved
                                        : hub::resolve(job.request.source, http(), mirrors(),
                                                       job.monitor.retry, job.stop);
    job.notice(job.resolved.note);
    if (!hub::is_listed(job.request.source, job.request.trust))
        hub::refuse_by_verdict(job.resolved, job.request.source.text, "say --trust SOURCE");
    job.sha256 = job.request.sha256.empty() ? job.resolved.sha256 : job.request.sha256;
    job.size = job.resolved.size;
    job.result.resolved = job.resolved;
    if (job.request.layout == NameLayout::civitdl_tags)
        hub::ask_civitai_tags(job.resolved, http(), mirrors(), job.monitor.retry, job.stop);
    // A plain URL's path is only a guess at the name.
    const bool is_plain = std::holds_alternative<hub::UrlSource>(job.request.source.location);
    if (!is_plain || (is_in_store(job) && !job.request.name.empty())) choose_place(job, {});
}

void Getter::choose_place(Job& job, const std::string& server_name) {
    const auto place = place_of(job.request, job.resolved, server_name);
    if (place.empty())
        throw Error{
            ErrorKind::usage,
            fmt::format("{}: neither its URL nor its server says a name", job.request.source.text),
            "give it one with --name"};
    const auto target = job.request.folder / place;
    refuse_by_name(target, admission_of(job.request));
    const std::scoped_lock lock(mutex_);
    const auto [found, is_new] = claimed_.emplace(target, job.request.source.text);
    if (!is_new && found->second != job.request.source.text)
        throw Error{ErrorKind::conflict,
                    fmt::format("{}: {} is also the place of {}", job.request.source.text,
                                target.string(), found->second),
                    "fetch them into two folders, or give one of them a --name"};
    job.target = target;
}

Downloaded Getter::fetch(Job& job) {
    create_folders(job.request.folder);
    const bool is_named = !job.target.empty();
    const auto request = request_for(job);
    DownloadMonitor monitor{.on_progress = job.monitor.on_progress, .retry = job.monitor.retry};
    // By the client's thread, so it only looks.
    const auto learn = [&](const hub::Offer& offer) {
        choose_place(job, offer.server_name);
        job.size = offer.size;
        return !fs::exists(fs::symlink_status(job.target)) && !goes_by_store(job);
    };
    if (!is_named) monitor.is_wanted = learn;
    const auto done = downloader_.download(request, monitor, job.stop);
    job.result.received += done.received;
    if (done.declined) return done;
    // Under the name that it is going to have: the URL's may have told less of its format than the
    // server's does.
    refuse_partial_by_content(partial_of(job), job.target, admission_of(job.request), job.stop);
    job.result.sha256 = done.sha256;
    job.result.size = done.size;
    if (!keep_in_store(job, done)) place(job, done.file);
    return done;
}

bool Getter::goes_by_store(const Job& job) const {
    return store_ != nullptr && is_sha256(job.sha256) &&
           (store_->is_writable() || store_->look_at(job.sha256));
}

bool Getter::is_in_store(const Job& job) const {
    return store_ != nullptr && is_sha256(job.sha256) && store_->look_at(job.sha256);
}

// False: there is no store, or nothing of the kind in one that is only read.
bool Getter::link_by_store(Job& job) {
    if (!goes_by_store(job)) return false;
    const StoreRequest request{
        .download = request_for(job),
        .place = job.target,
        .admission = admission_of(job.request),
        .on_wait = told_waiting(job),
        .on_notice = [&job](const std::string& fault) { job.notice(fault); }};
    const DownloadMonitor monitor{.on_progress = job.monitor.on_progress,
                                  .retry = job.monitor.retry};
    const auto brought = bring_into_store(*store_, request, downloader_, monitor, job.stop);
    if (!brought) return false;
    job.result.received += brought->received;
    job.result.sha256 = brought->file.sha256;
    job.result.size = brought->file.size;
    if (!link_to_place(job, *store_, brought->file)) return false;
    discard(partial_of(job));  // of a run without the store
    return true;
}

// What came with no digest known. False: there is no store, or it cannot take it.
bool Getter::keep_in_store(Job& job, const Downloaded& done) {
    if (store_ == nullptr || !store_->is_writable()) return false;
    require_free(job);
    StoredFile file;
    try {
        file = store_->take({.path = partial_of(job),
                             .sha256 = done.sha256,
                             .identity = done.file,
                             .name = job.target.filename().string()},
                            job.stop);
    } catch (const Error& error) {
        // A store that is full keeps nobody from his file.
        if (error.kind() != ErrorKind::io) throw;
        job.notice(fmt::format("not in the store: {}", error.message()));
        return false;
    }
    if (!link_to_place(job, *store_, file))
        throw Error{ErrorKind::io,
                    fmt::format("{} has gone from the store before it was linked",
                                store_->path_of(file.sha256).string()),
                    "run it again; is `podctl store prune` at work there?"};
    forget(partial_of(job));
    return true;
}

// What was declined as its name became known is looked at, or had from the store.
bool Getter::bring_file(Job& job) {
    const auto link_or_fetch = [&] { return link_by_store(job) ? Downloaded{} : fetch(job); };
    bool wanted = job.target.empty() || is_wanted(job);
    if (wanted && (job.target.empty() ? fetch(job) : link_or_fetch()).declined) {
        wanted = is_wanted(job);
        if (wanted) link_or_fetch();
    }
    if (wanted) return true;
    job.result.size = file_stamp(job.target).value_or(FileStamp{}).size;
    forget(partial_of(job));  // of a process that died after it had placed the file
    return false;
}

void Getter::bring_metadata(Job& job) {
    const auto folder = job.target.empty() ? job.request.folder : job.target.parent_path();
    const auto report = save_civitdl_metadata(job.resolved, folder, *job.request.metadata, http(),
                                              mirrors(), job.monitor.retry, job.stop);
    for (const auto& warning : report.warnings)
        job.notice(warning);
    job.result.changed |= !report.written.empty();
}

Got Getter::get(const GetRequest& request, const GetMonitor& monitor, std::stop_token stop) {
    Job job{.request = request, .monitor = monitor, .stop = std::move(stop)};
    look_up(job);
    if (request.content == GetRequest::Content::file_and_metadata)
        job.result.changed = bring_file(job);
    if (request.metadata) bring_metadata(job);
    job.result.path = job.target;
    return job.result;
}

}  // namespace podctl::download

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

// Where others may rename, what was renamed need not be what was verified.
void require_verified(const fs::path& target, const FileIdentity& verified) {
    const Place place = place_beneath(target, Missing::fail);
    if (!place.folder) throw system_error("looking at " + target.string(), errno);
    if (!others_may_replace_in(place.folder.get())) return;
    const Fd placed{
        ::openat(place.folder.get(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
    struct stat status {};
    const bool is_it = placed && ::fstat(placed.get(), &status) == 0 &&
                       FileIdentity{status.st_dev, status.st_ino} == verified;
    if (is_it && reason_to_distrust_file(placed.get(), place.folder.get()).empty()) return;
    ::unlinkat(place.folder.get(), place.name.c_str(), 0);
    throw Error{ErrorKind::integrity,
                fmt::format("{} was replaced by another user while it was placed", target.string()),
                "fetch it into a folder where nobody else may write"};
}

void place(const Getter::Job& job, const FileIdentity& verified) {
    if (job.request.existing == GetRequest::Existing::keep &&
        fs::exists(fs::symlink_status(job.target)))
        throw Error{ErrorKind::conflict,
                    fmt::format("{} has come there meanwhile", job.target.string()),
                    "run it again: it compares the two"};
    create_folders(job.target.parent_path());
    // The very file that was verified, which a copy is not.
    rename_durably(partial_of(job), job.target);
    require_verified(job.target, verified);
    forget(partial_of(job));
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
    if (!std::holds_alternative<hub::UrlSource>(job.request.source.location)) choose_place(job, {});
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
    const DownloadRequest request{.url = job.resolved.url,
                                  .partial = partial_of(job),
                                  .sha256 = job.sha256,
                                  .git_blob = job.resolved.git_blob,
                                  .size = job.resolved.size,
                                  .name = job.target.filename().string()};
    DownloadMonitor monitor{.on_progress = job.monitor.on_progress, .retry = job.monitor.retry};
    // By the client's thread, so it only looks.
    const auto learn = [&](const hub::Offer& offer) {
        choose_place(job, offer.server_name);
        job.size = offer.size;
        return !fs::exists(fs::symlink_status(job.target));
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
    place(job, done.file);
    return done;
}

bool Getter::bring_file(Job& job) {
    bool wanted = job.target.empty() || is_wanted(job);
    if (wanted && fetch(job).declined) {
        wanted = is_wanted(job);
        if (wanted) fetch(job);
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

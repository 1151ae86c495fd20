#include "transfer.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace podctl::download {
namespace {

using namespace std::chrono_literals;

constexpr auto tick = 100ms;
constexpr int max_restarts = 3;
// A connection without a byte for so long is replaced; more is waited where that does not help.
constexpr auto first_stall_patience = 4s;
// Above this a second connection of the same link brings nothing that a disk could take.
constexpr std::uint64_t plenty = 400u << 20;

std::uint64_t enough(const http::Options& options) {
    return options.limit_rate > 0 ? std::min(plenty, options.limit_rate / 5 * 4) : plenty;
}

}  // namespace

void check_bytes(const DownloadRequest& request, const std::string& digest, std::uint64_t size) {
    if (request.size && size != *request.size)
        throw Error{
            ErrorKind::integrity,
            fmt::format("{}: {} bytes came, expected are {}", request.name, size, *request.size),
            "the file changed at its source, or the expected size is wrong"};
    if (!request.sha256.empty() && digest != request.sha256)
        throw Error{
            ErrorKind::integrity,
            fmt::format("{}: sha256 is {}, expected {}", request.name, digest, request.sha256),
            "the file changed at its source, or the expected sha256 is wrong"};
    if (request.sha256.empty() && !request.git_blob.empty() &&
        git_blob_id_of_file(request.partial) != request.git_blob)
        throw Error{ErrorKind::integrity,
                    fmt::format("{}: what came is not the hub's file: its git blob is another one",
                                request.name),
                    "run again; a proxy or a mirror on the way may have changed it"};
    if (request.check_format) check_model_format(request.partial, request.name);
}

Transfer::Transfer(const DownloadRequest& request, const Means& means, std::string url,
                   const DownloadMonitor& monitor, std::stop_token stop)
    : request_(request),
      http_(means.http),
      share_(means.share),
      url_(std::move(url)),
      monitor_(monitor),
      stop_(stop),
      seat_(means.share.connections, [this] { tell(); }),
      file_(request.partial, means.share.blocks, stop),
      pace_(means.http.options().connections, enough(means.http.options())),
      backoff_(monitor.retry, stop),
      stall_patience_(first_stall_patience) {}

Downloaded Transfer::run() {
    std::unique_lock lock(mutex_);
    try {
        open();
        while (true) {
            while (!is_complete())
                step(lock);
            if (declined_) {
                discard();
                return {.declined = true};
            }
            if (auto done = verified()) return *done;
        }
    } catch (const Error& error) {
        wind_up(lock);
        if (error.kind() == ErrorKind::integrity) discard();
        throw;
    } catch (...) {
        // No memory, say. Streams that went on would deliver to a transfer that is gone.
        wind_up(lock);
        throw;
    }
}

void Transfer::wind_up(std::unique_lock<std::mutex>& lock) {
    end_all(lock);
    // Also before a removal: a write on its way would bring the record back.
    keep_what_came();
}

// Takes over what an earlier call left, when it is surely of the same file.
void Transfer::open() {
    const std::uint64_t found = file_.found_size();
    const auto earlier = ControlFile::load(request_.partial);
    const bool may_be_whole = !request_.sha256.empty() && !monitor_.is_wanted &&
                              (!request_.size || *request_.size == found);
    if (found > 0 && !earlier && may_be_whole) {
        // A crash between the end of a download and the rename leaves the whole file.
        file_.take_over(RangeSet{{0, found}});
        known_.size = found;
        has_earlier_bytes_ = true;
        return;
    }
    if (found == 0 || !earlier || !continues_earlier(*earlier)) {
        file_.restart();
        return;
    }
    known_ = earlier->validators;
    file_.take_over(earlier->have);
    file_.describe(known_);
    has_earlier_bytes_ = true;
    const auto have = file_.have();
    front_ = have.end_of_run(0);
    if (known_.size) missing_ = have.missing(*known_.size);
    furthest_ = progress();
    report_progress();
    ask_whether_wanted({.server_name = known_.server_name, .size = known_.size});
}

bool Transfer::continues_earlier(const ControlFile::Content& earlier) const {
    const Validators& of = earlier.validators;
    if (of.source != sha256_hex(request_.url) || of.expected_sha256 != request_.sha256)
        return false;
    if (request_.size && of.size && *request_.size != *of.size) return false;
    if (of.size && !earlier.have.empty() && earlier.have.spans().back().end > *of.size)
        return false;
    return is_identified(of);
}

bool Transfer::is_complete() const {
    if (declined_) return segments_.empty();
    return known_.size && missing_.empty() && segments_.empty() && !start_over_because_;
}

void Transfer::step(std::unique_lock<std::mutex>& lock) {
    const bool waits = segments_.empty() && Clock::now() < ask_from_;
    seat_.claim({.remaining = remaining(), .wanted = waits ? 0 : pace_.target()});
    launch();
    wait_for_news(lock);
    settle_ended();
    if (start_over_because_) {
        end_all(lock);
        start_over(*std::exchange(start_over_because_, std::nullopt));
    }
    adjust();
}

void Transfer::wait_for_news(std::unique_lock<std::mutex>& lock) {
    auto until = Clock::now() + tick;
    if (segments_.empty() && ask_from_ > Clock::now()) until = std::min(until, ask_from_);
    news_.wait_until(lock, stop_, until, [&] { return has_news_.exchange(false); });
    if (stop_.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
}

Error Transfer::changes() const {
    return {ErrorKind::network, fmt::format("{}: changes while it is being fetched", request_.name),
            "its server gives another file each time; try later, or another source"};
}

// What is there is of another file, or of nobody knows which.
void Transfer::start_over(const Error& why) {
    if (++restarts_ > max_restarts) throw why;
    file_.restart();
    known_ = {};
    missing_ = {};
    start_.clear();
    front_ = 0;
    has_earlier_bytes_ = false;
    // Servers behind one name that do not agree: what one of them sends whole can be had.
    if (restarts_ > 1) ranges_ = Ranges::no;
}

// nullopt: the bytes are wrong, but not surely the source's: it starts over.
std::optional<Downloaded> Transfer::verified() {
    seat_.claim({});
    const std::uint64_t size = *known_.size;
    const std::string digest = file_.finish(size, stop_);
    if (has_earlier_bytes_ && !request_.sha256.empty() && digest != request_.sha256) {
        start_over(changes());
        return std::nullopt;
    }
    check_bytes(request_, digest, size);
    report_progress();
    return Downloaded{.sha256 = digest,
                      .size = size,
                      .file = file_.identity(),
                      .received = received_,
                      .server_name = known_.server_name};
}

// What is worth resuming is on record before the error is told.
void Transfer::keep_what_came() {
    try {
        file_.flush();
        // Without a byte there is nothing to go on from.
        if (file_.have().empty()) discard();
    } catch (const std::exception&) {
        // A disk that fails: the error that is on its way says so already.
    }
}

void Transfer::discard() {
    remove_tree(request_.partial);
    ControlFile::remove(request_.partial);
}

}  // namespace podctl::download

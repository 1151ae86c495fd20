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
      monitor_(monitor),
      stop_(stop),
      known_(request, std::move(url)),
      segments_(request.size),
      pace_(means.http.options().connections, enough(means.http.options())),
      backoff_(monitor.retry, stop),
      seat_(means.share.connections, [this] { tell(); }),
      file_(request.partial, means.share.blocks, stop) {}

Downloaded Transfer::run() {
    std::unique_lock lock(mutex_);
    try {
        return run_locked(lock);
    } catch (const Error& error) {
        wind_up(lock);
        if (error.kind() == ErrorKind::integrity) download::discard(request_.partial);
        throw;
    } catch (...) {
        // No memory, say. Streams that went on would deliver to a transfer that is gone.
        wind_up(lock);
        throw;
    }
}

Downloaded Transfer::run_locked(std::unique_lock<std::mutex>& lock) {
    open();
    while (true) {
        switch (state_) {
            case State::probing:
            case State::resuming:
            case State::transferring:
                if (!segments_.is_complete())
                    step(lock);
                else if (auto done = verified())
                    return *done;
                break;
            case State::starting_over:
                start_over(lock);
                break;
            case State::declined:
                end_all(lock);
                download::discard(request_.partial);
                return {.declined = true};
        }
    }
}

// Takes over what an earlier call left, when it is surely of the same file.
void Transfer::open() {
    const std::uint64_t found = file_.found_size();
    const auto earlier = ControlFile::load(request_.partial);
    const bool may_be_whole = !request_.sha256.empty() && !monitor_.is_wanted &&
                              (!request_.size || *request_.size == found);
    if (found > 0 && !earlier && may_be_whole) {
        // A crash between the end of a download and the rename leaves the whole file.
        const RangeSet whole{{0, found}};
        file_.take_over(whole);
        known_.set_size(found);
        segments_.go_on_from(whole, found);
        state_ = State::resuming;
        return;
    }
    if (found == 0 || !earlier || !known_.covers(*earlier)) {
        file_.restart();
        return;
    }
    const Validators& of = earlier->validators;
    known_.recall(of);
    file_.take_over(earlier->have);
    file_.describe(of);
    segments_.go_on_from(file_.have(), of.size);
    if (of.size && share_.cache->take(file_.identity(), *of.size)) file_.keep_in_cache();
    segments_.note_progress();
    report_progress();
    state_ = offered({.server_name = of.server_name, .size = of.size}, State::resuming);
}

void Transfer::step(std::unique_lock<std::mutex>& lock) {
    const bool waits = segments_.empty() && Clock::now() < ask_from_;
    seat_.claim({.remaining = segments_.remaining(), .wanted = waits ? 0 : pace_.target()});
    launch();
    wait_for_news(lock);
    settle_ended();
    adjust();
}

void Transfer::wait_for_news(std::unique_lock<std::mutex>& lock) {
    auto until = Clock::now() + tick;
    if (segments_.empty() && ask_from_ > Clock::now()) until = std::min(until, ask_from_);
    news_.wait_until(lock, stop_, until, [&] { return has_news_.exchange(false); });
    if (stop_.stop_requested()) throw Error{ErrorKind::interrupted, "stopped"};
}

// nullopt: the bytes are wrong, but not surely the source's.
std::optional<Downloaded> Transfer::verified() {
    seat_.claim({});
    const std::uint64_t size = *segments_.size();
    const std::string digest = file_.finish(size, stop_);
    const bool is_wrong = !request_.sha256.empty() && digest != request_.sha256;
    if (is_wrong && state_ == State::resuming) {
        start_over_because(changes());
        return std::nullopt;
    }
    check_bytes(request_, digest, size);
    report_progress();
    return Downloaded{.sha256 = digest,
                      .size = size,
                      .file = file_.identity(),
                      .received = segments_.received(),
                      .server_name = known_.validators().server_name};
}

Error Transfer::changes() const {
    return {ErrorKind::network, fmt::format("{}: changes while it is being fetched", request_.name),
            "its server gives another file each time; try later, or another source"};
}

void Transfer::start_over_because(Error reason) {
    reason_ = std::move(reason);
    state_ = State::starting_over;
}

void Transfer::start_over(std::unique_lock<std::mutex>& lock) {
    end_all(lock);
    if (++restarts_ > max_restarts) throw *reason_;
    file_.restart();
    known_.forget();
    segments_.start_anew();
    start_.clear();
    // Servers behind one name that do not agree: what one of them sends whole can be had.
    if (restarts_ > 1) known_.give_up_ranges();
    state_ = State::transferring;
}

void Transfer::end_all(std::unique_lock<std::mutex>& lock) {
    for (auto& stream : streams_)
        segments_.drop(*stream.segment);
    cancel_dropped();
    const auto all_ended = [&] { return std::ranges::all_of(streams_, &SegmentStream::ended); };
    while (!all_ended())
        news_.wait(lock, all_ended);
    try {
        for (auto& stream : streams_)
            put_back(stream);
    } catch (const std::exception&) {
        // What came last is lost, and asked for again: nothing of it is on record.
    }
    streams_.clear();
    segments_.clear();
}

// What is worth resuming is on record before the error is told.
void Transfer::wind_up(std::unique_lock<std::mutex>& lock) {
    end_all(lock);
    try {
        // Also before a removal: a write on its way would bring the record back.
        file_.flush();
        // Without a byte there is nothing to go on from.
        if (file_.have().empty()) download::discard(request_.partial);
    } catch (const std::exception&) {
        // A disk that fails: the error that is on its way says so already.
    }
}

}  // namespace podctl::download

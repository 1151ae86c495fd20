#pragma once

#include "podctl/base/error.hpp"
#include "podctl/download/download.hpp"
#include "podctl/http/backoff.hpp"

#include "known.hpp"
#include "pace.hpp"
#include "partial_file.hpp"
#include "segment_stream.hpp"
#include "segments.hpp"
#include "transfer_share.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <list>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace podctl::download {

// Throws Error{integrity} when the bytes at request.partial are not the ones that were asked for.
void check_bytes(const DownloadRequest& request, const std::string& digest, std::uint64_t size);

// One file on its way. Segments says who brings what, Known what to ask and what an answer is
// worth, Pace over how many connections; a Transfer asks, keeps what comes, and judges how each
// request ends. The caller's thread decides; the client's thread delivers (on_…). What the two
// share is under mutex_.
//
// A transfer is always in one of these states:
//
//   probing        Nothing is there, and no answer has been of use yet. One request asks for all of
//                  the file; its answer is offered to DownloadMonitor::is_wanted, which is asked
//                  only once: transferring or declined.
//   resuming       Bytes of an earlier call are there, beside those that come now. It is like
//                  transferring, but a wrong digest may be the fault of the earlier bytes.
//   transferring   All bytes that are there are of this call.
//   declined       The file is not wanted. Nothing is kept.
//   starting_over  What is there is of another file than what the server sends now, or of nobody
//                  knows which. Whoever is at work is ended, all bytes are dropped, and it goes on
//                  as transferring; a fourth time it gives up with the reason instead.
//
// It begins as probing, or as resuming (or declined) where an earlier call left something that is
// surely of the same file. What ends early is asked for again, by Backoff, until nothing is
// missing. Then the bytes are verified: they are the result, or an error, or, where it was resuming
// and they have another digest, a reason to start over. Every error comes out of run(), whatever
// the state; what is worth resuming is on record by then.
class Transfer {
public:
    // What it shares with others.
    struct Means {
        http::Client& http;
        TransferShare& share;
    };
    Transfer(const DownloadRequest& request, const Means& means, std::string url,
             const DownloadMonitor& monitor, std::stop_token stop);

    Downloaded run();

private:
    using Clock = std::chrono::steady_clock;
    enum class State { probing, resuming, transferring, declined, starting_over };

    // By the caller's thread, under mutex_. transfer.cpp: from one state to the next.
    Downloaded run_locked(std::unique_lock<std::mutex>& lock);
    void open();
    void step(std::unique_lock<std::mutex>& lock);
    void wait_for_news(std::unique_lock<std::mutex>& lock);
    std::optional<Downloaded> verified();
    Error changes() const;
    void start_over_because(Error reason);
    void start_over(std::unique_lock<std::mutex>& lock);
    void end_all(std::unique_lock<std::mutex>& lock);
    void wind_up(std::unique_lock<std::mutex>& lock);

    // transfer_requests.cpp: who is asked, and for how long.
    void launch();
    bool may_ask() const;
    void ask(const Segments::Piece& piece);
    void adjust();
    void cancel_dropped();
    void report_progress() const;

    // transfer_ends.cpp: what the end of a request means.
    void settle_ended();
    Segment put_back(SegmentStream& stream);
    void judge_end(const SegmentStream& stream, const Segment& segment);
    void end_at(std::uint64_t size);
    void after_body(const Segment& segment);
    void after_cut(const Segment& segment, const Error& error);
    void after_no_ranges();
    void after_refusal(const SegmentStream& stream);
    void limit_to_those_at_work();
    bool ask_later(const std::string& reason,
                   std::optional<std::chrono::milliseconds> at_least = {});
    void wait_or_give_up(const Error& error);

    // transfer_answers.cpp: what comes. The client's thread calls has_room and on_…, which take
    // mutex_; what is below them is called under it.
    http::Client::Sink sink_of(SegmentStream& stream);
    bool has_room(SegmentStream& stream);
    bool on_headers(SegmentStream& stream, const http::Response& response);
    void on_body(SegmentStream& stream, const char* data, std::size_t size);
    void on_end(SegmentStream& stream, http::Response response, std::exception_ptr failure);
    void tell();
    State offered(const hub::Offer& offer, State when_wanted) const;
    void learn(const http::Response& response, Asked::Range range);
    void look_at_start(std::uint64_t offset, std::string_view data);

    const DownloadRequest& request_;
    http::Client& http_;
    TransferShare& share_;
    const DownloadMonitor& monitor_;
    const std::stop_token stop_;

    std::mutex mutex_;
    std::condition_variable_any news_;
    std::atomic<bool> has_news_ = false;

    State state_ = State::probing;
    std::optional<Error> reason_;  // of starting_over; told when that does not help
    int restarts_ = 0;

    Known known_;
    Segments segments_;
    std::list<SegmentStream> streams_;  // one for each segment
    std::string start_;                 // the first bytes, for a look at them

    Pace pace_;
    http::Backoff backoff_;
    Clock::time_point ask_from_{};  // not before
    ConnectionBudget::Seat seat_;
    PartialFile file_;
};

}  // namespace podctl::download

#pragma once

#include "podctl/base/error.hpp"
#include "podctl/download/download.hpp"
#include "podctl/http/backoff.hpp"

#include "control_file.hpp"
#include "pace.hpp"
#include "partial_file.hpp"
#include "range_response.hpp"
#include "segment.hpp"
#include "transfer_share.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace podctl::download {

// Throws Error{integrity} when the bytes at request.partial are not the ones that were asked for.
void check_bytes(const DownloadRequest& request, const std::string& digest, std::uint64_t size);

// One file on its way. It begins with one request for all of it; where another connection brings
// more (Pace), the rest is handed out in pieces from the front on, so that the digest keeps up.
// The caller's thread decides; the client's thread delivers (on_…).
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
    using Segments = std::list<Segment>;

    // What an earlier call left.
    void open();
    bool continues_earlier(const ControlFile::Content& earlier) const;

    // Under mutex_, by the caller's thread, as all down to the callbacks.
    bool is_complete() const;
    void step(std::unique_lock<std::mutex>& lock);
    void wait_for_news(std::unique_lock<std::mutex>& lock);

    // transfer_work.cpp: who brings what.
    struct Work {
        ByteSpan span;
        Segment* from = nullptr;  // whose part it is so far
    };
    void launch();
    bool may_ask() const;
    std::optional<Work> next_work();
    std::optional<Work> part_of_busiest();
    std::uint64_t piece_size() const;
    void ask(const Work& work);
    void begin(Segment& segment, const Work& work);
    bool is_to_the_end(const Segment& segment) const;
    http::Request request_for(const Segment& segment) const;
    bool take_over_part(Segment& segment);
    void adjust();
    void measure();
    void replace_slow();
    void make_room_for_others();
    void drop(Segment& segment);
    std::uint64_t remaining() const;
    std::uint64_t progress() const;
    void report_progress() const;

    // transfer_answers.cpp: what an answer means.
    void settle_ended();
    void put_back(Segment& segment);
    void judge_end(const Segment& segment);
    void end_at(std::uint64_t size);
    void after_body(const Segment& segment);
    void after_cut(const Segment& segment, const Error& error);
    void after_refusal(const Segment& segment);
    void after_no_ranges();
    bool is_identified(const Validators& validators) const;
    void limit_to_those_at_work();
    bool ask_later(const std::string& reason,
                   std::optional<std::chrono::milliseconds> at_least = {});
    void wait_or_give_up(const Error& error);
    void start_over(const Error& why);
    Error changes() const;
    void end_all(std::unique_lock<std::mutex>& lock);
    void wind_up(std::unique_lock<std::mutex>& lock);

    std::optional<Downloaded> verified();
    void keep_what_came();
    void discard();

    // By the client's thread; they take mutex_.
    http::Client::Sink sink_of(Segment& segment);
    bool on_headers(Segment& segment, const http::Response& response);
    void on_body(Segment& segment, const char* data, std::size_t size);
    bool has_room(Segment& segment);
    void on_end(Segment& segment, http::Response response, std::exception_ptr failure);
    void tell();
    // Under mutex_.
    void ask_whether_wanted(const hub::Offer& offer);
    void refuse_what_is_no_file(const http::Response& response) const;
    bool is_page_in_place_of_file(const http::Response& response) const;
    void learn(Segment& segment, const http::Response& response);
    void look_at_start(const Segment& segment, std::string_view data);

    const DownloadRequest& request_;
    http::Client& http_;
    TransferShare& share_;
    const std::string url_;  // after mirrors
    const DownloadMonitor& monitor_;
    std::stop_token stop_;

    std::mutex mutex_;
    std::condition_variable_any news_;
    std::atomic<bool> has_news_ = false;

    ConnectionBudget::Seat seat_;
    PartialFile file_;
    Pace pace_;
    http::Backoff backoff_;
    Clock::time_point ask_from_{};  // not before

    Validators known_;
    std::string start_;        // the first bytes, for a look at them
    RangeSet missing_;         // of no segment; once the size is known
    std::uint64_t front_ = 0;  // bytes that are there, as long as it is not
    std::uint64_t furthest_ = 0;
    Segments segments_;
    enum class Ranges { unknown, yes, no } ranges_ = Ranges::unknown;
    bool asked_twice_for_range_ = false;
    bool has_earlier_bytes_ = false;  // of another call: a wrong digest may be their fault
    bool is_asked_about_ = false;     // DownloadMonitor::is_wanted was
    bool declined_ = false;
    // Why nothing of what is there is worth keeping; told when starting over does not help.
    std::optional<Error> start_over_because_ = {};
    int restarts_ = 0;

    // Where the bytes come from is asked once: a hub counts every question towards its rate limit.
    bool address_known_ = false;
    std::string signed_url_;  // where the hub redirected to; valid for a while
    http::Request::Reach signed_reach_ = http::Request::Reach::anywhere;
    int missing_answers_ = 0;

    std::uint64_t received_ = 0;
    bool held_back_ = false;
    double usual_rate_ = 0;  // of the last segment that was whole, bytes a second
    std::chrono::milliseconds stall_patience_;
    Clock::time_point last_tick_{};
    Clock::time_point last_replacement_{};
};

}  // namespace podctl::download

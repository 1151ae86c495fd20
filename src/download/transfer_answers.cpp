// What comes: headers, bytes, ends, and what each means for the transfer.
#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/units.hpp"
#include "podctl/http/http_message.hpp"
#include "podctl/http/url_rules.hpp"
#include "podctl/hub/hub_errors.hpp"

#include "model_format.hpp"
#include "transfer.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace podctl::download {
namespace {

constexpr std::size_t max_error_body = 64 << 10;
constexpr int max_missing_answers = 3;  // Civitai answers 404 when its resolver has a passing fault

// A connection that is cut after so much may be followed by the next one at once.
constexpr std::uint64_t worth_a_question = 64u << 10;

// Signed URLs live for an hour or a day, and S3 answers 403, not 404, when they are over.
bool says_expired(int status) {
    return status == 400 || status == 401 || status == 403 || status == 404 || status == 410;
}

}  // namespace

http::Client::Sink Transfer::sink_of(Segment& segment) {
    return {
        .on_headers = [&](const http::Response& response) { return on_headers(segment, response); },
        .on_body = [&](const char* data, std::size_t size) { on_body(segment, data, size); },
        .has_room = [&] { return has_room(segment); },
        .on_end =
            [&](http::Response response, std::exception_ptr failure) {
                on_end(segment, std::move(response), std::move(failure));
            }};
}

void Transfer::tell() {
    has_news_ = true;
    news_.notify_all();
}

bool Transfer::on_headers(Segment& segment, const http::Response& response) {
    const std::scoped_lock lock(mutex_);
    segment.answered = true;
    segment.kind = judge(response, {segment.begin, segment.range}, known_);
    if (segment.kind == AnswerKind::refused) return true;
    if (segment.kind != AnswerKind::take) {
        // Such as a login page where a session is over: what came before is worth keeping.
        if (is_page_in_place_of_file(response))
            throw page_in_place_of(request_.name, ErrorKind::network);
        return false;
    }
    refuse_what_is_no_file(response);
    ask_whether_wanted(
        {.server_name = http::disposition_name(response), .size = total_size(response)});
    if (declined_) return false;
    learn(segment, response);
    if (segment.range == Asked::Range::yes) ranges_ = Ranges::yes;
    tell();
    return !segment.from || take_over_part(segment);
}

void Transfer::ask_whether_wanted(const hub::Offer& offer) {
    if (monitor_.is_wanted && !std::exchange(is_asked_about_, true))
        declined_ = !monitor_.is_wanted(offer);
}

void Transfer::refuse_what_is_no_file(const http::Response& response) const {
    const auto total = total_size(response);
    if (request_.size && total && *request_.size != *total)
        throw Error{ErrorKind::integrity,
                    fmt::format("{}: the server has {} bytes, expected are {}", request_.name,
                                *total, *request_.size),
                    "the file changed at its source, or the expected size is wrong"};
    if (const auto coding = response.header("content-encoding").value_or("identity");
        to_lower(coding) != "identity")
        throw Error{ErrorKind::integrity,
                    fmt::format("{}: the server sends it compressed ({})", request_.name, coding),
                    "a proxy or mirror on the way ignores Accept-Encoding: identity"};
    if (is_page_in_place_of_file(response))
        throw page_in_place_of(request_.name, ErrorKind::integrity);
}

bool Transfer::is_page_in_place_of_file(const http::Response& response) const {
    return response.status == 200 && request_.check_format &&
           http::media_type(response) == "text/html" && !is_page_name(request_.name);
}

// What the first answer says of the file, and each later one adds.
void Transfer::learn(Segment& segment, const http::Response& response) {
    const auto total = total_size(response);
    Validators fresh{
        .source = sha256_hex(request_.url),
        .expected_sha256 = request_.sha256,
        .etag = response.header("etag").value_or(known_.etag),
        .last_modified = response.header("last-modified").value_or(known_.last_modified),
        .size = known_.size ? known_.size : total,
        .server_name = http::disposition_name(response)};
    if (fresh.server_name.empty()) fresh.server_name = known_.server_name;
    if (fresh != known_) file_.describe(fresh);
    if (fresh.size && !known_.size) file_.reserve(*fresh.size);
    known_ = std::move(fresh);
    if (known_.size && segment.end == Segment::unknown_end) segment.end = *known_.size;
    address_known_ = true;
    // A hub counts every question towards its rate limit: what follows is asked of the store alone.
    const bool left_the_hub =
        http::checked_url(response.url).origin() != http::checked_url(url_).origin();
    if (!signed_url_.empty() || !left_the_hub) return;
    signed_url_ = response.url;
    signed_reach_ = response.from_internet ? http::Request::Reach::internet : request_.reach;
}

bool Transfer::has_room(Segment& segment) {
    const std::scoped_lock lock(mutex_);
    if (segment.kind == AnswerKind::refused || segment.buffer.prepare(share_.blocks)) return true;
    held_back_ = true;
    segment.last_byte = Clock::now();
    return false;
}

void Transfer::on_body(Segment& segment, const char* data, std::size_t size) {
    const std::scoped_lock lock(mutex_);
    if (segment.kind == AnswerKind::refused) {
        auto& body = segment.error_body;
        body.append(data, std::min(size, max_error_body - std::min(max_error_body, body.size())));
        return;
    }
    if (segment.dropped || size == 0) return;
    segment.last_byte = Clock::now();
    if (!segment.is_flowing()) segment.first_byte = segment.last_byte;
    received_ += size;
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(size, segment.left()));
    if (taken < size && segment.end == known_.size)
        throw Error{ErrorKind::integrity,
                    fmt::format("{}: the server sends more than the {} bytes it promised",
                                request_.name, *known_.size)};
    look_at_start(segment, {data, taken});
    segment.buffer.add(share_.blocks, file_, segment.at, data, taken);
    segment.at += taken;
    // The rest is another segment's.
    if (taken < size) drop(segment);
}

// A page in place of six gigabytes shows in the first bytes.
void Transfer::look_at_start(const Segment& segment, std::string_view data) {
    constexpr std::size_t enough = 512;
    if (!request_.check_format || segment.at != start_.size() || start_.size() == enough) return;
    start_ += data.substr(0, enough - start_.size());
    if (start_.size() == enough) check_model_start(start_, known_.size, request_.name);
}

void Transfer::on_end(Segment& segment, http::Response response, std::exception_ptr failure) {
    const std::scoped_lock lock(mutex_);
    segment.response = std::move(response);
    segment.response.body = std::move(segment.error_body);
    segment.failure = std::move(failure);
    segment.ended = true;
    tell();
}

void Transfer::settle_ended() {
    for (auto it = segments_.begin(); it != segments_.end();) {
        if (!it->ended) {
            ++it;
            continue;
        }
        Segments ended;
        ended.splice(ended.begin(), segments_, it++);
        put_back(ended.front());
        judge_end(ended.front());
    }
}

// What a segment did not bring is anybody's.
void Transfer::put_back(Segment& segment) {
    const bool reached =
        segment.at == segment.end || (segment.end == Segment::unknown_end && !segment.failure &&
                                      segment.kind == AnswerKind::take);
    if (reached && segment.is_flowing()) {
        const std::chrono::duration<double> took = Clock::now() - segment.first_byte;
        usual_rate_ =
            static_cast<double>(segment.at - segment.begin) / std::max(took.count(), 0.01);
    }
    segment.at -= segment.buffer.finish(
        file_, reached ? Segment::Buffer::End::reached : Segment::Buffer::End::cut);
    seat_.give_back();
    if (!known_.size) front_ = segment.at;
    if (known_.size && !segment.from)
        missing_.add({segment.at, std::min(segment.end, *known_.size)});
    for (auto& other : segments_) {
        if (other.from != &segment) continue;
        other.from = nullptr;
        if (segment.at <= other.begin && other.end <= segment.end) {
            missing_.remove({other.begin, other.end});
        } else {
            other.end = other.at;
            drop(other);
        }
    }
}

void Transfer::judge_end(const Segment& segment) {
    // What was dropped, and what has all its bytes, may end as it likes.
    if (declined_ || segment.dropped ||
        (segment.kind == AnswerKind::take && segment.at == segment.end))
        return;
    if (segment.failure) {
        try {
            std::rethrow_exception(segment.failure);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::network) throw;
            return after_cut(segment, error);
        }
    }
    switch (segment.kind) {
        case AnswerKind::take:
            return after_body(segment);
        case AnswerKind::whole:
            return end_at(segment.begin);
        case AnswerKind::changed:
            start_over_because_ = changes();
            return;
        case AnswerKind::other_size:
            return end_at(total_size(segment.response).value_or(segment.begin));
        case AnswerKind::no_ranges:
            return after_no_ranges();
        case AnswerKind::refused:
            return after_refusal(segment);
    }
}

// The file ends there, whatever was promised; before it bytes may still lack.
void Transfer::end_at(std::uint64_t size) {
    known_.size = size;
    missing_.remove({size, Segment::unknown_end});
    file_.describe(known_);
    // Whatever is at work beyond it knows better or worse: nobody can tell.
    if (!segments_.empty()) start_over_because_ = changes();
}

void Transfer::after_body(const Segment& segment) {
    if (!known_.size) {
        // Without a length the end of the connection is the end of the file, as far as HTTP can
        // tell.
        known_.size = std::max(segment.at, request_.size.value_or(0));
        missing_ = RangeSet{{segment.at, *known_.size}};
        if (missing_.empty()) return;
    }
    after_cut(segment,
              Error{ErrorKind::network, fmt::format("{}: {} of {} bytes came", http::shown(url_),
                                                    progress(), *known_.size)});
}

// Nothing else tells whether the rest would be of the same file.
bool Transfer::is_identified(const Validators& validators) const {
    return !validators.etag.empty() || !validators.last_modified.empty() ||
           !request_.sha256.empty();
}

void Transfer::after_cut(const Segment& segment, const Error& error) {
    const bool progressed = progress() > furthest_;
    furthest_ = std::max(furthest_, progress());
    if (progressed) backoff_.start_anew();
    if (!segments_.empty()) {
        // The server may not want so many at once.
        if (segment.at == segment.begin) limit_to_those_at_work();
        return;
    }
    if (!progressed) {
        signed_url_.clear();
        address_known_ = false;
    }
    // Before the first answer nothing is there to be recognized.
    if (!known_.source.empty() && !is_identified(known_))
        start_over_because_ = Error{
            error.kind(), error.message(),
            "the server gives the file no ETag and no date, so that it begins anew after each "
            "cut; try another source"};
    else if (progressed && segment.at - segment.begin >= worth_a_question &&
             monitor_.retry.attempts > 1)
        return;  // a wait would bring nothing: the server gives bytes
    wait_or_give_up(error);
}

void Transfer::limit_to_those_at_work() {
    pace_.limit(static_cast<unsigned>(segments_.size()), Clock::now());
}

// Nothing is asked until then. False: the attempts are used up.
bool Transfer::ask_later(const std::string& reason,
                         std::optional<std::chrono::milliseconds> at_least) {
    const auto wait = backoff_.next(reason, at_least);
    if (wait) ask_from_ = Clock::now() + *wait;
    return wait.has_value();
}

void Transfer::wait_or_give_up(const Error& error) {
    if (ask_later(error.message())) return;
    const std::uint64_t kept = is_identified(known_) ? progress() : 0;
    throw Error{error.kind(), error.message(),
                kept == 0 ? error.hint()
                          : fmt::format("{} came and are kept; run it again to go on from there",
                                        format_bytes({kept}))};
}

// The bytes of the same file, but not the ones that were asked for: whoever is at work from its
// beginning goes on, alone.
void Transfer::after_no_ranges() {
    // Behind one name there may be servers that do and servers that do not: before bytes are thrown
    // away another one is asked.
    if (segments_.empty() && !std::exchange(asked_twice_for_range_, true)) return;
    ranges_ = Ranges::no;
    pace_.limit(1, Clock::now());
    if (segments_.empty())
        start_over_because_ =
            Error{ErrorKind::network,
                  fmt::format("{}: its server gives other parts than are asked for", request_.name),
                  "try later, or another source"};
}

void Transfer::after_refusal(const Segment& segment) {
    const http::Response& response = segment.response;
    const int status = response.status;
    if (segment.url != url_ && says_expired(status)) {
        // Of several segments the first one says it.
        if (segment.url == signed_url_) {
            signed_url_.clear();
            address_known_ = false;
        }
        return;
    }
    const std::string reason = fmt::format("HTTP {}", status);
    const bool was_redirected =
        http::checked_url(response.url).origin() != http::checked_url(url_).origin();
    if (was_redirected && (status == 401 || status == 403) && ask_later(reason)) return;
    if (status == 404 && hub::hub_of(request_.url) == hub::Hub::civitai &&
        ++missing_answers_ < max_missing_answers && ask_later(reason))
        return;
    const auto asked = http::retry_after(response, std::chrono::system_clock::now());
    // A server that takes no more at once serves those that are at work.
    if (http::can_pass(status) && !asked && !segments_.empty()) return limit_to_those_at_work();
    if (http::can_pass(status) && ask_later(reason, asked)) return limit_to_those_at_work();
    // Those that are at work go on; there are to be no more of them.
    if (!segments_.empty()) return limit_to_those_at_work();
    throw hub::refusal(response, request_.url, request_.name);
}

void Transfer::end_all(std::unique_lock<std::mutex>& lock) {
    for (auto& segment : segments_)
        drop(segment);
    const auto all_ended = [&] { return std::ranges::all_of(segments_, &Segment::ended); };
    while (!all_ended())
        news_.wait(lock, all_ended);
    try {
        for (auto& segment : segments_) {
            segment.from = nullptr;
            put_back(segment);
        }
    } catch (const std::exception&) {
        // What came last is lost, and asked for again: nothing of it is on record.
    }
    segments_.clear();
}

}  // namespace podctl::download

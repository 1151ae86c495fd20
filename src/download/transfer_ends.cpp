// What the end of a request means.
#include "podctl/base/error.hpp"
#include "podctl/base/units.hpp"
#include "podctl/http/http_message.hpp"
#include "podctl/http/url_rules.hpp"
#include "podctl/hub/hub_errors.hpp"

#include "transfer.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace podctl::download {
namespace {

// A connection that is cut after so much may be followed by the next one at once.
constexpr std::uint64_t worth_a_question = 64u << 10;

}  // namespace

void Transfer::settle_ended() {
    for (auto it = streams_.begin(); it != streams_.end();) {
        if (!it->ended) {
            ++it;
            continue;
        }
        std::list<SegmentStream> ended;
        ended.splice(ended.begin(), streams_, it++);
        const Segment segment = put_back(ended.front());
        judge_end(ended.front(), segment);
    }
    cancel_dropped();
}

Segment Transfer::put_back(SegmentStream& stream) {
    Segment& segment = *stream.segment;
    const bool is_at_end_of_answer =
        segment.end == ByteSpan::no_end && !stream.failure && stream.kind == AnswerKind::take;
    const auto end = segment.at == segment.end || is_at_end_of_answer ? Segments::End::reached
                                                                      : Segments::End::cut;
    const std::uint64_t lost = stream.buffer.finish(file_, end);
    seat_.give_back();
    stream.segment = nullptr;
    return segments_.put_back(segment, end, lost, Clock::now());
}

void Transfer::judge_end(const SegmentStream& stream, const Segment& segment) {
    // What was dropped, and what has all its bytes, may end as it likes.
    if (state_ == State::declined || segment.dropped ||
        (stream.kind == AnswerKind::take && segment.at == segment.end))
        return;
    if (stream.failure) {
        try {
            std::rethrow_exception(stream.failure);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::network) throw;
            return after_cut(segment, error);
        }
    }
    switch (stream.kind) {
        case AnswerKind::take:
            return after_body(segment);
        case AnswerKind::whole:
            return end_at(segment.begin);
        case AnswerKind::changed:
            return start_over_because(changes());
        case AnswerKind::other_size:
            return end_at(total_size(stream.response).value_or(segment.begin));
        case AnswerKind::no_ranges:
            return after_no_ranges();
        case AnswerKind::refused:
            return after_refusal(stream);
    }
}

// The file ends there, whatever was promised; before it bytes may still lack.
void Transfer::end_at(std::uint64_t size) {
    known_.set_size(size);
    segments_.set_size(size);
    file_.describe(known_.validators());
    // Whatever is at work beyond it knows better or worse: nobody can tell.
    if (!segments_.empty()) start_over_because(changes());
}

void Transfer::after_body(const Segment& segment) {
    if (!segments_.size()) {
        // Without a length the end of the connection is the end of the file, as far as HTTP can
        // tell.
        const std::uint64_t size = std::max(segment.at, request_.size.value_or(0));
        known_.set_size(size);
        segments_.set_size(size);
        if (segments_.is_complete()) return;
    }
    after_cut(segment, Error{ErrorKind::network,
                             fmt::format("{}: {} of {} bytes came", http::shown(known_.url()),
                                         segments_.progress(), *segments_.size())});
}

void Transfer::after_cut(const Segment& segment, const Error& error) {
    const bool progressed = segments_.note_progress();
    if (progressed) backoff_.start_anew();
    if (!segments_.empty()) {
        // The server may not want so many at once.
        if (segment.brought() == 0) limit_to_those_at_work();
        return;
    }
    if (!progressed) known_.forget_address();
    // Before the first answer nothing is there to be recognized.
    if (known_.is_described() && !known_.is_identified())
        start_over_because(
            {error.kind(), error.message(),
             "the server gives the file no ETag and no date, so that it begins anew after each "
             "cut; try another source"});
    else if (progressed && segment.brought() >= worth_a_question && monitor_.retry.attempts > 1)
        return;  // a wait would bring nothing: the server gives bytes
    wait_or_give_up(error);
}

void Transfer::limit_to_those_at_work() {
    pace_.limit(static_cast<unsigned>(segments_.count()), Clock::now());
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
    const std::uint64_t kept = known_.is_identified() ? segments_.progress() : 0;
    throw Error{error.kind(), error.message(),
                kept == 0 ? error.hint()
                          : fmt::format("{} came and are kept; run it again to go on from there",
                                        format_bytes({kept}))};
}

// The bytes of the same file, but not the ones that were asked for: whoever is at work from its
// beginning goes on, alone.
void Transfer::after_no_ranges() {
    // Before bytes are thrown away another server is asked.
    if (segments_.empty() && known_.excuse_wrong_part()) return;
    known_.give_up_ranges();
    pace_.limit(1, Clock::now());
    if (segments_.empty())
        start_over_because(
            {ErrorKind::network,
             fmt::format("{}: its server gives other parts than are asked for", request_.name),
             "try later, or another source"});
}

void Transfer::after_refusal(const SegmentStream& stream) {
    const http::Response& response = stream.response;
    const int status = response.status;
    if (known_.has_expired(stream.url, status)) return;
    const std::string reason = fmt::format("HTTP {}", status);
    const bool was_redirected = known_.is_elsewhere(response);
    if (was_redirected && (status == 401 || status == 403) && ask_later(reason)) return;
    if (known_.excuse_missing(status) && ask_later(reason)) return;
    const auto asked = http::retry_after(response, std::chrono::system_clock::now());
    // A server that takes no more at once serves those that are at work.
    if (http::can_pass(status) && !asked && !segments_.empty()) return limit_to_those_at_work();
    if (http::can_pass(status) && ask_later(reason, asked)) return limit_to_those_at_work();
    // Those that are at work go on; there are to be no more of them.
    if (!segments_.empty()) return limit_to_those_at_work();
    throw hub::refusal(response, request_.url, request_.name);
}

}  // namespace podctl::download

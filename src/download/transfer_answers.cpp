// What comes: headers, bytes, the end. By the client's thread.
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/http/http_message.hpp"

#include "model_format.hpp"
#include "transfer.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace podctl::download {
namespace {

constexpr std::size_t max_error_body = 64 << 10;

bool is_page_in_place_of_file(const http::Response& response, const DownloadRequest& request) {
    return response.status == 200 && request.check_format &&
           http::media_type(response) == "text/html" && !is_page_name(request.name);
}

void refuse_what_is_no_file(const http::Response& response, const DownloadRequest& request) {
    const auto total = total_size(response);
    if (request.size && total && *request.size != *total)
        throw Error{ErrorKind::integrity,
                    fmt::format("{}: the server has {} bytes, expected are {}", request.name,
                                *total, *request.size),
                    "the file changed at its source, or the expected size is wrong"};
    if (const auto coding = response.header("content-encoding").value_or("identity");
        to_lower(coding) != "identity")
        throw Error{ErrorKind::integrity,
                    fmt::format("{}: the server sends it compressed ({})", request.name, coding),
                    "a proxy or mirror on the way ignores Accept-Encoding: identity"};
    if (is_page_in_place_of_file(response, request))
        throw page_in_place_of(request.name, ErrorKind::integrity);
}

}  // namespace

http::Client::Sink Transfer::sink_of(SegmentStream& stream) {
    return {
        .on_headers = [&](const http::Response& response) { return on_headers(stream, response); },
        .on_body = [&](const char* data, std::size_t size) { on_body(stream, data, size); },
        .has_room = [&] { return has_room(stream); },
        .on_end =
            [&](http::Response response, std::exception_ptr failure) {
                on_end(stream, std::move(response), std::move(failure));
            }};
}

void Transfer::tell() {
    has_news_ = true;
    news_.notify_all();
}

bool Transfer::on_headers(SegmentStream& stream, const http::Response& response) {
    const std::scoped_lock lock(mutex_);
    stream.answered = true;
    stream.kind = judge(response, stream.asked, known_.validators());
    if (stream.kind == AnswerKind::refused) return true;
    if (stream.kind != AnswerKind::take) {
        // Such as a login page where a session is over: what came before is worth keeping.
        if (is_page_in_place_of_file(response, request_))
            throw page_in_place_of(request_.name, ErrorKind::network);
        return false;
    }
    refuse_what_is_no_file(response, request_);
    if (state_ == State::probing)
        state_ =
            offered({.server_name = http::disposition_name(response), .size = total_size(response)},
                    State::transferring);
    if (state_ == State::declined) return false;
    learn(response, stream.asked.range);
    tell();
    return segments_.take_over(*stream.segment);
}

Transfer::State Transfer::offered(const hub::Offer& offer, State when_wanted) const {
    return !monitor_.is_wanted || monitor_.is_wanted(offer) ? when_wanted : State::declined;
}

void Transfer::learn(const http::Response& response, Asked::Range range) {
    const Validators before = known_.validators();
    known_.learn(response, range);
    const Validators& now = known_.validators();
    if (now != before) file_.describe(now);
    if (!now.size || before.size) return;
    file_.reserve(*now.size);
    if (share_.cache->take(file_.identity(), *now.size)) file_.keep_in_cache();
    segments_.set_size(*now.size);
}

bool Transfer::has_room(SegmentStream& stream) {
    const std::scoped_lock lock(mutex_);
    if (stream.kind == AnswerKind::refused || stream.buffer.prepare(share_.blocks)) return true;
    segments_.hold_back(*stream.segment, Clock::now());
    return false;
}

void Transfer::on_body(SegmentStream& stream, const char* data, std::size_t size) {
    const std::scoped_lock lock(mutex_);
    if (stream.kind == AnswerKind::refused) {
        auto& body = stream.error_body;
        body.append(data, std::min(size, max_error_body - std::min(max_error_body, body.size())));
        return;
    }
    Segment& segment = *stream.segment;
    if (segment.dropped || size == 0) return;
    const std::size_t taken = segments_.arrive(segment, size, Clock::now());
    if (taken < size && segment.end == segments_.size())
        throw Error{ErrorKind::integrity,
                    fmt::format("{}: the server sends more than the {} bytes it promised",
                                request_.name, segment.end)};
    look_at_start(segment.at, {data, taken});
    stream.buffer.add(share_.blocks, file_, segment.at, data, taken);
    segments_.advance(segment, taken);
    if (taken == size) return;
    // The rest is another segment's.
    segments_.drop(segment);
    cancel_dropped();
}

// A page in place of six gigabytes shows in the first bytes.
void Transfer::look_at_start(std::uint64_t offset, std::string_view data) {
    constexpr std::size_t enough = 512;
    if (!request_.check_format || offset != start_.size() || start_.size() == enough) return;
    start_ += data.substr(0, enough - start_.size());
    if (start_.size() == enough) check_model_start(start_, known_.validators().size, request_.name);
}

void Transfer::on_end(SegmentStream& stream, http::Response response, std::exception_ptr failure) {
    const std::scoped_lock lock(mutex_);
    stream.response = std::move(response);
    stream.response.body = std::move(stream.error_body);
    stream.failure = std::move(failure);
    stream.ended = true;
    tell();
}

}  // namespace podctl::download

#include "known.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/http/http_message.hpp"
#include "podctl/http/url_rules.hpp"
#include "podctl/hub/hub_errors.hpp"

#include <fmt/core.h>

#include <utility>

namespace podctl::download {
namespace {

constexpr int max_missing_answers = 3;  // Civitai answers 404 when its resolver has a passing fault

// Signed URLs live for an hour or a day, and S3 answers 403, not 404, when they are over.
bool says_expired(int status) {
    return status == 400 || status == 401 || status == 403 || status == 404 || status == 410;
}

}  // namespace

Known::Known(const DownloadRequest& request, std::string url)
    : request_(request), url_(std::move(url)) {}

bool Known::identifies(const Validators& validators) const {
    return !validators.etag.empty() || !validators.last_modified.empty() ||
           !request_.sha256.empty();
}

bool Known::covers(const ControlFile::Content& earlier) const {
    const Validators& of = earlier.validators;
    if (of.source != sha256_hex(request_.url) || of.expected_sha256 != request_.sha256)
        return false;
    if (request_.size && of.size && *request_.size != *of.size) return false;
    if (of.size && !earlier.have.empty() && earlier.have.spans().back().end > *of.size)
        return false;
    return identifies(of);
}

void Known::learn(const http::Response& response, Asked::Range range) {
    Validators fresh{
        .source = sha256_hex(request_.url),
        .expected_sha256 = request_.sha256,
        .etag = response.header("etag").value_or(validators_.etag),
        .last_modified = response.header("last-modified").value_or(validators_.last_modified),
        .size = validators_.size ? validators_.size : total_size(response),
        .server_name = http::disposition_name(response)};
    if (fresh.server_name.empty()) fresh.server_name = validators_.server_name;
    validators_ = std::move(fresh);
    if (range == Asked::Range::yes) ranges_ = Ranges::yes;
    if (address_ && address_->url != url_) return;
    address_ = Address{.url = url_, .reach = request_.reach};
    if (!is_elsewhere(response)) return;
    address_->url = response.url;
    if (response.from_internet) address_->reach = http::Request::Reach::internet;
}

bool Known::excuse_wrong_part() {
    return wrong_parts_++ == 0;
}

bool Known::is_to_the_end(ByteSpan span) const {
    return span.end == ByteSpan::no_end || span.end == validators_.size;
}

Asked Known::asked_for(ByteSpan span) const {
    const bool is_whole = span.begin == 0 && is_to_the_end(span);
    return {span.begin, is_whole ? Asked::Range::no : Asked::Range::yes};
}

http::Request Known::request_for(ByteSpan span) const {
    http::Request request{.url = url_, .reach = request_.reach};
    if (address_ && address_->url != url_) {
        request.url = address_->url;
        request.reach = address_->reach;
        request.authorization = http::Request::Authorization::none;
    }
    if (asked_for(span).range == Asked::Range::no) return request;
    request.headers.emplace_back(
        "Range", is_to_the_end(span) ? fmt::format("bytes={}-", span.begin)
                                     : fmt::format("bytes={}-{}", span.begin, span.end - 1));
    if (const auto condition = if_range(validators_); !condition.empty())
        request.headers.emplace_back("If-Range", condition);
    return request;
}

bool Known::is_elsewhere(const http::Response& response) const {
    return http::checked_url(response.url).origin() != http::checked_url(url_).origin();
}

bool Known::has_expired(const std::string& url, int status) {
    if (url == url_ || !says_expired(status)) return false;
    if (address_ && address_->url == url) address_.reset();
    return true;
}

bool Known::excuse_missing(int status) {
    return status == 404 && hub::hub_of(request_.url) == hub::Hub::civitai &&
           ++missing_answers_ < max_missing_answers;
}

}  // namespace podctl::download

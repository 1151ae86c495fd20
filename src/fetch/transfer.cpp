#include "transfer.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/units.hpp"

#include "http_message.hpp"
#include "http_rules.hpp"
#include "refusal.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

namespace podctl::fetch {
namespace {

constexpr std::size_t max_error_body = 64 << 10;
constexpr int max_missing_answers = 3;  // Civitai answers 404 when its resolver has a passing fault

// Signed URLs live for an hour or a day, and S3 answers 403, not 404, when they are over.
bool says_expired(int status) {
    return status == 400 || status == 401 || status == 403 || status == 404 || status == 410;
}

bool is_page_name(const std::string& name) {
    const auto lower = to_lower(name);
    return lower.ends_with(".html") || lower.ends_with(".htm") || lower.ends_with(".xhtml");
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
    if (request.check_format) check_model_format(request.partial, request.name);
}

Transfer::Transfer(const DownloadRequest& request, HttpClient& http, std::string url,
                   const DownloadMonitor& monitor, std::stop_token stop)
    : request_(request),
      http_(http),
      url_(std::move(url)),
      monitor_(monitor),
      stop_(stop),
      file_(request.partial),
      backoff_(monitor.retry, stop) {}

Downloaded Transfer::run() {
    try {
        open();
        while (true) {
            const bool complete = known_.size && file_.size() == *known_.size && *known_.size > 0;
            while (!complete && attempt() == Next::ask) {
            }
            if (auto done = verified()) return *done;
        }
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::integrity) discard();
        throw;
    }
}

// Takes over what an earlier call left, when it is surely of the same file.
void Transfer::open() {
    const auto control = load_control(request_.partial);
    const bool may_be_whole =
        !request_.sha256.empty() && (!request_.size || *request_.size == file_.size());
    if (file_.size() > 0 && !control && may_be_whole) {
        // A crash between the end of a download and the rename leaves the whole file.
        file_.rehash(stop_);
        known_.size = file_.size();
        has_earlier_bytes_ = true;
        return;
    }
    if (file_.size() > 0 && continues_earlier(control)) {
        known_ = *control;
        file_.rehash(stop_);
        has_earlier_bytes_ = true;
        furthest_ = file_.size();
        report_progress();
        return;
    }
    start_over();
}

bool Transfer::continues_earlier(const std::optional<ControlFile>& control) const {
    if (!control || control->source != sha256_hex(request_.url) ||
        control->expected_sha256 != request_.sha256)
        return false;
    if (request_.size && control->size && *request_.size != *control->size) return false;
    if (control->size && file_.size() > *control->size) return false;
    return !control->etag.empty() || !control->last_modified.empty() || !request_.sha256.empty();
}

void Transfer::start_over() {
    file_.restart();
    known_ = {};
    has_earlier_bytes_ = false;
}

HttpRequest Transfer::next_request() const {
    HttpRequest request{.url = url_};
    if (!signed_url_.empty()) {
        request.url = signed_url_;
        request.authorization = HttpRequest::Authorization::none;
    }
    if (file_.size() == 0) return request;
    request.headers.emplace_back("Range", fmt::format("bytes={}-", file_.size()));
    if (const auto condition = if_range(known_); !condition.empty())
        request.headers.emplace_back("If-Range", condition);
    return request;
}

HttpResponse Transfer::exchange() {
    verdict_ = Verdict::refused;
    error_body_.clear();
    const HttpClient::Sink sink{
        .on_headers = [this](const HttpResponse& response) { return on_headers(response); },
        .on_body = [this](const char* data, std::size_t size) { on_body(data, size); },
        .has_room = [this] { return file_.has_room(); }};
    auto response = http_.stream(next_request(), sink, stop_);
    response.body = error_body_;
    return response;
}

Transfer::Next Transfer::attempt() {
    HttpResponse response;
    try {
        response = exchange();
        file_.flush();
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) file_.flush();
        if (error.kind() != ErrorKind::network) throw;
        file_.flush();
        return wait_after_cut(error);
    }
    switch (verdict_) {
        case Verdict::take:
            return after_body();
        case Verdict::whole:
            known_.size = file_.size();
            return Next::verify;
        case Verdict::start_over:
            start_over();
            return Next::ask;
        case Verdict::refused:
            return after_refusal(std::move(response));
    }
    throw Error{ErrorKind::internal, "unknown verdict"};
}

bool Transfer::on_headers(const HttpResponse& response) {
    verdict_ = judge(response, file_.size(), known_);
    if (verdict_ == Verdict::take) begin_body(response);
    return verdict_ == Verdict::take || verdict_ == Verdict::refused;
}

void Transfer::begin_body(const HttpResponse& response) {
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
    if (request_.check_format && media_type(response) == "text/html" &&
        !is_page_name(request_.name))
        throw Error{
            ErrorKind::integrity,
            fmt::format("{}: a web page came in place of the file", request_.name),
            "the server shows a login or error page there: use the file's download URL, and "
            "set CIVITAI_API_KEY or HF_TOKEN where the hub wants one"};
    if (file_.size() == 0) known_ = {};
    ControlFile fresh{
        .source = sha256_hex(request_.url),
        .expected_sha256 = request_.sha256,
        .etag = response.header("etag").value_or(known_.etag),
        .last_modified = response.header("last-modified").value_or(known_.last_modified),
        .size = total ? total : known_.size,
        .server_name = disposition_name(response)};
    if (fresh.server_name.empty()) fresh.server_name = known_.server_name;
    if (fresh != known_) save_control(request_.partial, fresh);
    known_ = std::move(fresh);
    if (known_.size) file_.reserve(*known_.size);
    // A hub counts every question towards its rate limit: going on after a cut asks the store
    // alone.
    const bool left_the_hub = checked_url(response.url).origin() != checked_url(url_).origin();
    if (signed_url_.empty() && left_the_hub) signed_url_ = response.url;
}

void Transfer::on_body(const char* data, std::size_t size) {
    if (verdict_ == Verdict::refused) {
        error_body_.append(
            data, std::min(size, max_error_body - std::min(max_error_body, error_body_.size())));
        return;
    }
    if (known_.size && file_.size() + size > *known_.size)
        throw Error{ErrorKind::integrity,
                    fmt::format("{}: the server sends more than the {} bytes it promised",
                                request_.name, *known_.size)};
    file_.append(data, size);
    received_ += size;
    report_progress();
}

Transfer::Next Transfer::after_body() {
    // Without a length the end of the connection is the end of the file, as far as HTTP can tell.
    if (!known_.size) known_.size = request_.size.value_or(file_.size());
    if (file_.size() >= *known_.size) return Next::verify;
    return wait_after_cut(
        Error{ErrorKind::network,
              fmt::format("{}: {} of {} bytes came", shown(url_), file_.size(), *known_.size)});
}

Transfer::Next Transfer::after_refusal(HttpResponse response) {
    const int status = response.status;
    const std::string reason = fmt::format("HTTP {}", status);
    if (!signed_url_.empty() && says_expired(status)) {
        signed_url_.clear();
        return Next::ask;
    }
    const bool was_redirected = checked_url(response.url).origin() != checked_url(url_).origin();
    if (was_redirected && (status == 401 || status == 403) && backoff_.wait(reason))
        return Next::ask;
    if (status == 404 && hub_of(request_.url) == Hub::civitai &&
        ++missing_answers_ < max_missing_answers && backoff_.wait(reason))
        return Next::ask;
    const auto asked = retry_after(response, std::chrono::system_clock::now());
    if (can_pass(status) && backoff_.wait(reason, asked)) return Next::ask;
    throw refusal(response, request_.url, request_.name);
}

Transfer::Next Transfer::wait_after_cut(const Error& error) {
    if (known_.size && file_.size() == *known_.size) return Next::verify;
    if (file_.size() > furthest_) {
        furthest_ = file_.size();
        backoff_.start_anew();
    } else {
        signed_url_.clear();
    }
    // Nothing tells whether the rest would be of the same file, and no digest would show it.
    const bool can_go_on =
        !known_.etag.empty() || !known_.last_modified.empty() || !request_.sha256.empty();
    if (!can_go_on) start_over();
    if (backoff_.wait(error.message())) return Next::ask;
    throw Error{error.kind(), error.message(),
                file_.size() == 0
                    ? error.hint()
                    : fmt::format("{} came and are kept; run it again to go on from there",
                                  format_bytes({file_.size()}))};
}

// nullopt: the bytes are wrong, but not surely the source's: it starts over.
std::optional<Downloaded> Transfer::verified() {
    const std::string digest = file_.finish();
    if (has_earlier_bytes_ && !request_.sha256.empty() && digest != request_.sha256) {
        start_over();
        return std::nullopt;
    }
    check_bytes(request_, digest, file_.size());
    remove_control(request_.partial);
    return Downloaded{.sha256 = digest,
                      .size = file_.size(),
                      .received = received_,
                      .server_name = known_.server_name};
}

void Transfer::discard() {
    ::unlink(request_.partial.c_str());
    remove_control(request_.partial);
}

void Transfer::report_progress() const {
    if (monitor_.on_progress)
        monitor_.on_progress(
            {.done = file_.size(), .total = known_.size ? known_.size : request_.size});
}

}  // namespace podctl::fetch

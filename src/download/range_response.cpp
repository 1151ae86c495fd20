#include "range_response.hpp"

#include "podctl/http/http_message.hpp"

namespace podctl::download {
namespace {

bool is_other_file(const http::Response& response, const Validators& known) {
    const auto etag = response.header("etag");
    if (etag && !known.etag.empty()) return http::etag_value(*etag) != http::etag_value(known.etag);
    const auto modified = response.header("last-modified");
    return modified && !known.last_modified.empty() && *modified != known.last_modified;
}

// RFC 9110 §8.8.1: what has the same strong ETag has the same bytes.
bool is_surely_the_same(const http::Response& response, const Validators& known) {
    return !known.etag.empty() && !http::is_weak(known.etag) &&
           response.header("etag") == known.etag;
}

// A wrong range would give a file of the right size with the wrong bytes.
AnswerKind judge_part(const http::Response& response, const Asked& asked, const Validators& known) {
    if (asked.range == Asked::Range::no) return AnswerKind::refused;
    if (is_other_file(response, known)) return AnswerKind::changed;
    const auto range = http::content_range(response);
    if (!range || range->first != asked.offset) return AnswerKind::no_ranges;
    if (range->total && known.size && range->total != known.size)
        return is_surely_the_same(response, known) && range->total < known.size
                   ? AnswerKind::other_size
                   : AnswerKind::changed;
    if (range->total && *range->last >= *range->total) return AnswerKind::no_ranges;
    const auto length = http::content_length(response);
    if (length && *length != *range->last - *range->first + 1) return AnswerKind::no_ranges;
    return AnswerKind::take;
}

AnswerKind judge_whole(const http::Response& response, const Asked& asked,
                       const Validators& known) {
    if (is_other_file(response, known)) return AnswerKind::changed;
    const auto length = http::content_length(response);
    if (length && known.size && *length != *known.size) return AnswerKind::changed;
    return asked.offset == 0 ? AnswerKind::take : AnswerKind::no_ranges;
}

}  // namespace

AnswerKind judge(const http::Response& response, const Asked& asked, const Validators& known) {
    switch (response.status) {
        case 200:
            return judge_whole(response, asked, known);
        case 206:
            return judge_part(response, asked, known);
        case 416: {
            if (asked.range == Asked::Range::no) return AnswerKind::refused;
            // A Content-Length that was too long ends here: the server says itself where the file
            // does.
            const auto range = http::content_range(response);
            const bool complete =
                range && range->total == asked.offset && !is_other_file(response, known);
            return complete ? AnswerKind::whole : AnswerKind::changed;
        }
        default:
            return AnswerKind::refused;
    }
}

std::optional<std::uint64_t> total_size(const http::Response& response) {
    if (response.status == 206)
        return http::content_range(response).value_or(http::ContentRange{}).total;
    return http::content_length(response);
}

std::string if_range(const Validators& known) {
    if (!known.etag.empty() && !http::is_weak(known.etag)) return known.etag;
    // Beside a weak ETag, Last-Modified would let a changed file pass that only the ETag tells
    // apart.
    return known.etag.empty() ? known.last_modified : std::string{};
}

}  // namespace podctl::download

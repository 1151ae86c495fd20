#include "answer.hpp"

#include "http_message.hpp"

namespace podctl::fetch {
namespace {

bool is_other_file(const HttpResponse& response, const ControlFile& known) {
    const auto etag = response.header("etag");
    if (etag && !known.etag.empty()) return etag_value(*etag) != etag_value(known.etag);
    const auto modified = response.header("last-modified");
    return modified && !known.last_modified.empty() && *modified != known.last_modified;
}

// A wrong range would give a file of the right size with the wrong bytes.
Verdict judge_part(const HttpResponse& response, std::uint64_t offset, const ControlFile& known) {
    const auto range = content_range(response);
    if (offset == 0) return Verdict::refused;
    if (!range || range->first != offset) return Verdict::start_over;
    if (range->total && known.size && range->total != known.size) return Verdict::start_over;
    if (range->total && *range->last >= *range->total) return Verdict::start_over;
    const auto length = content_length(response);
    if (length && *length != *range->last - *range->first + 1) return Verdict::start_over;
    return is_other_file(response, known) ? Verdict::start_over : Verdict::take;
}

}  // namespace

Verdict judge(const HttpResponse& response, std::uint64_t offset, const ControlFile& known) {
    switch (response.status) {
        case 200:
            return offset == 0 ? Verdict::take : Verdict::start_over;
        case 206:
            return judge_part(response, offset, known);
        case 416: {
            if (offset == 0) return Verdict::refused;
            const auto range = content_range(response);
            const bool complete = range && range->total == offset &&
                                  (!known.size || known.size == offset) &&
                                  !is_other_file(response, known);
            return complete ? Verdict::whole : Verdict::start_over;
        }
        default:
            return Verdict::refused;
    }
}

std::optional<std::uint64_t> total_size(const HttpResponse& response) {
    if (response.status == 206) return content_range(response).value_or(ContentRange{}).total;
    return content_length(response);
}

std::string if_range(const ControlFile& known) {
    if (!known.etag.empty() && !is_weak(known.etag)) return known.etag;
    // Beside a weak ETag, Last-Modified would let a changed file pass that only the ETag tells
    // apart.
    return known.etag.empty() ? known.last_modified : std::string{};
}

}  // namespace podctl::fetch

#pragma once

#include "podctl/fetch/http.hpp"

#include "control_file.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace podctl::fetch {

// What the server's answer means for the bytes that are there.
enum class Verdict {
    take,        // the body goes on where the partial file ends
    start_over,  // what is there is of another file, or the server sends no ranges: ask from byte 0
    whole,       // nothing is missing
    refused,     // an error, or an answer that makes no sense
};

// `offset` bytes are there and `known` describes them; with offset 0 no range was asked for.
Verdict judge(const HttpResponse& response, std::uint64_t offset, const ControlFile& known);

// The whole file's size by an answer of verdict `take`; nullopt: it does not say.
std::optional<std::uint64_t> total_size(const HttpResponse& response);

// The value of If-Range: a strong ETag, else Last-Modified. Empty: neither is known, and judge()
// compares what the answer says (RFC 9110 §13.1.5 forbids a weak ETag).
std::string if_range(const ControlFile& known);

}  // namespace podctl::fetch

#pragma once

#include "podctl/http/http.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace podctl::http {

// "bytes 10-19/100", "bytes 10-19/*", "bytes */100" (RFC 9110 §14.4).
struct ContentRange {
    std::optional<std::uint64_t> first = {}, last = {}, total = {};
};
std::optional<ContentRange> content_range(const Response& response);

std::optional<std::uint64_t> content_length(const Response& response);

// The wait that a 429 or 503 asks for: Retry-After in seconds or as a date, or Hugging Face's
// `ratelimit: "api";r=0;t=55`.
std::optional<std::chrono::milliseconds> retry_after(const Response& response,
                                                     std::chrono::system_clock::time_point now);

// The file name of Content-Disposition (RFC 6266, filename* before filename), as the server gave
// it.
std::string disposition_name(const Response& response);

// An ETag without W/ and quotes.
std::string etag_value(std::string_view etag);
bool is_weak(std::string_view etag);

std::string media_type(const Response& response);

}  // namespace podctl::http

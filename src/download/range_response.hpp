#pragma once

#include "podctl/http/http.hpp"

#include "control_file.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace podctl::download {

// What the server's answer means for the bytes that are there.
enum class AnswerKind {
    take,        // the body is what was asked for
    changed,     // it is of another file than the bytes that are there
    no_ranges,   // it is of the same file, but not the part that was asked for
    other_size,  // it is of the same file, which is shorter than an answer before had promised
    whole,       // nothing is missing
    refused,     // an error, or an answer that makes no sense
};

// What was asked for: the bytes from `offset` on, by a Range header or without one (then offset is
// 0).
struct Asked {
    std::uint64_t offset = 0;
    enum class Range { no, yes } range = Range::no;
};

// `known` describes the bytes that are there already.
AnswerKind judge(const http::Response& response, const Asked& asked, const Validators& known);

// The whole file's size by an answer of kind `take`; nullopt: it does not say.
std::optional<std::uint64_t> total_size(const http::Response& response);

// The value of If-Range: a strong ETag, else Last-Modified. Empty: neither is known, and judge()
// compares what the answer says (RFC 9110 §13.1.5 forbids a weak ETag).
std::string if_range(const Validators& known);

}  // namespace podctl::download

#pragma once

#include "podctl/http/http.hpp"

#include "range_response.hpp"
#include "segment_buffer.hpp"
#include "segments.hpp"

#include <exception>
#include <string>

namespace podctl::download {

// The request that brings a segment, and what came of it. The client's thread has references to it
// until it has ended; its transfer's mutex guards it.
struct SegmentStream {
    Segment* segment = nullptr;  // until it is put back
    Asked asked = {};
    std::string url = {};  // that was asked
    http::Client::StreamId id = 0;
    bool cancelled = false;

    bool answered = false;
    AnswerKind kind = AnswerKind::refused;
    std::string error_body = {};
    SegmentBuffer buffer = {};

    bool ended = false;
    http::Response response = {};
    std::exception_ptr failure = {};
};

}  // namespace podctl::download

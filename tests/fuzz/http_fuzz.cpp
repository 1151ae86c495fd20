// What servers hand to every client: header values, and the frames of a WebSocket. Read or refused
// with an Error, never a crash, a hang or another exception. The first byte chooses the reader, so
// that one run covers them all.
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/http/http_message.hpp"
#include "podctl/http/url_rules.hpp"

#include "http_rules.hpp"
#include "support.hpp"
#include "websocket_frame.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace podctl;
using namespace podctl::http;

using fuzz::expect;

// A line each: the value of every header that is read.
void read_headers(std::string_view input) {
    const std::string value{input};
    Response response{.status = 429};
    for (const char* name : {"content-range", "content-length", "retry-after", "ratelimit",
                             "content-disposition", "content-type", "etag"})
        response.headers.emplace_back(name, value);
    if (const auto range = content_range(response))
        expect(!range->first || *range->first <= *range->last);
    content_length(response);
    const auto now = std::chrono::system_clock::from_time_t(1'700'000'000);
    if (const auto wait = retry_after(response, now)) expect(wait->count() >= 0);
    response.headers.erase(response.headers.begin() + 2);
    if (const auto wait = retry_after(response, now)) expect(wait->count() >= 0);
    const auto name = safe_file_name(disposition_name(response));
    expect(name.size() <= 255 && name.find('/') == name.npos);
    etag_value(value);
    media_type(response);
    const Response redirect{.status = 302, .headers = {{"location", value}}};
    redirect_of(redirect, checked_url("https://hub.example/a/b?x=1"), "GET", {});
}

// A stream, in blocks whose size its first byte says.
void read_frames(std::string_view input) {
    if (input.empty()) return;
    const std::size_t block = 1 + static_cast<unsigned char>(input[0]);
    FrameReader reader{1 << 16};
    for (std::size_t at = 1; at < input.size(); at += block) {
        reader.feed(input.substr(at, block));
        while (const auto frame = reader.next())
            expect(frame->payload.size() <= 1 << 16);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr void (*readers[])(std::string_view) = {read_headers, read_frames};
    try {
        fuzz::dispatch(readers, data, size);
    } catch (const Error& error) {
        expect(error.kind() != ErrorKind::internal);
    }
    return 0;
}

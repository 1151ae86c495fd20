#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/overloaded.hpp"
#include "podctl/http/http_message.hpp"
#include "podctl/hub/hub_errors.hpp"
#include "podctl/hub/resolve.hpp"

#include "hubs.hpp"

#include <fmt/core.h>

namespace podctl::hub {
ResolvedFile describe(const UrlSource& source) {
    const auto url = parse_url(source.url);
    return {.url = source.url, .name = url ? url->file_name() : std::string{}};
}

ResolvedFile resolve(const Source& source, http::Client& http, const Mirrors& mirrors,
                     const http::RetryPolicy& retry, std::stop_token stop) {
    const Asking asking{http, mirrors, retry, stop};
    auto file = std::visit(overloaded{[&](const CivitaiSource& civitai) {
                                          return resolve_civitai(civitai, source.text, asking);
                                      },
                                      [&](const HuggingFaceSource& hub) {
                                          return resolve_hugging_face(hub, source.text, asking);
                                      },
                                      [&](const UrlSource& url) { return describe(url); }},
                           source.location);
    const auto* civitai = std::get_if<CivitaiSource>(&source.location);
    // Of a bare number the hub's answer tells more than the text did.
    if (!source.note.empty() && !(civitai && civitai->bare_number))
        file.note = source.note + (file.note.empty() ? "" : "; " + file.note);
    return file;
}

void refuse_by_verdict(const ResolvedFile& file, const std::string& source,
                       const std::string& how) {
    if (file.verdict.empty()) return;
    throw Error{ErrorKind::integrity, fmt::format("{}: {}", source, file.verdict),
                fmt::format("look for another source; {} if you trust it all the same", how)};
}

namespace {

std::optional<std::uint64_t> size_of(const http::Response& response) {
    switch (response.status) {
        case 200:
            return http::content_length(response);
        case 206:
        case 416:  // an empty file has no first byte: bytes */0
            return http::content_range(response).value_or(http::ContentRange{}).total;
        default:
            return std::nullopt;
    }
}

}  // namespace

Offer probe(const std::string& url, http::Client& http, const Mirrors& mirrors,
            std::stop_token stop) {
    const std::string mirrored = mirrors.apply(url);
    const auto parsed = parse_url(mirrored);
    if (parsed && parsed->scheme == "file") {
        const auto stamp = file_stamp(percent_decode(parsed->path));
        return {.size = stamp ? std::optional{stamp->size} : std::nullopt};
    }
    // Presigned URLs are signed for GET: a HEAD gets 403.
    const http::Request request{.url = mirrored, .headers = {{"Range", "bytes=0-0"}}};
    const http::Client::Sink only_headers{.on_headers = [](const http::Response&) { return false; },
                                          .on_body = [](const char*, std::size_t) {}};
    const auto response = http.stream(request, only_headers, std::move(stop));
    if (response.status >= 400 && response.status != 416)
        return {.refusal = refusal(response, url, describe({.url = url}).name).message()};
    return {.server_name = http::disposition_name(response), .size = size_of(response)};
}

}  // namespace podctl::hub

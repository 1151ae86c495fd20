#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"

#include "support/http_server.hpp"
#include "support/parse_number.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

// What a server of files answers.
namespace podctl::test {
namespace {

constexpr const char* last_modified = "Mon, 02 Jan 2023 03:04:05 GMT";

struct ByteRange {
    std::size_t first = 0, end = 0;  // [first, end)
};

// nullopt: not satisfiable, or not a range that this server knows.
std::optional<ByteRange> parse_range(std::string_view text, std::size_t size) {
    if (!text.starts_with("bytes=")) return std::nullopt;
    text.remove_prefix(6);
    const auto dash = text.find('-');
    if (dash == text.npos) return std::nullopt;
    const auto first = parse_number<std::size_t>(text.substr(0, dash));
    const auto last = parse_number<std::size_t>(text.substr(dash + 1));
    if (!first && last) return ByteRange{size - std::min(*last, size), size};
    if (!first || *first >= size) return std::nullopt;
    return ByteRange{*first, last ? std::min(*last + 1, size) : size};
}

}  // namespace

Response serve_bytes(const Request& request, const std::string& bytes, const std::string& etag) {
    Response response{.headers = {{"Last-Modified", last_modified}, {"Accept-Ranges", "bytes"}}};
    if (!etag.empty()) response.headers.emplace_back("ETag", etag);
    if (!etag.empty() && request.header("if-none-match") == etag) {
        response.status = 304;
        return response;
    }
    const auto range = request.header("range");
    const auto condition = request.header("if-range");
    // RFC 9110 §13.1.5: a weak ETag never matches in If-Range.
    const bool holds = !condition || *condition == last_modified ||
                       (*condition == etag && !etag.starts_with("W/"));
    if (!range || !holds) {
        response.body = bytes;
        return response;
    }
    const auto part = parse_range(*range, bytes.size());
    if (!part) {
        response.status = 416;
        response.headers.emplace_back("Content-Range", fmt::format("bytes */{}", bytes.size()));
        return response;
    }
    response.status = 206;
    response.headers.emplace_back(
        "Content-Range", fmt::format("bytes {}-{}/{}", part->first, part->end - 1, bytes.size()));
    response.body = bytes.substr(part->first, part->end - part->first);
    return response;
}

HttpServer::Handler serve_folder(const std::string& folder) {
    return [root = std::filesystem::path(folder)](const Request& request) -> Response {
        auto path = (root / request.path.substr(1)).lexically_normal();
        if (!is_inside(path, root)) return {.status = 404};
        if (std::filesystem::is_directory(path)) path /= "index.html";
        const auto bytes = read_file_if_exists(path);
        if (!bytes) return {.status = 404, .body = "not found"};
        return serve_bytes(request, *bytes,
                           fmt::format("\"{}\"", sha256_hex(*bytes).substr(0, 32)));
    };
}

}  // namespace podctl::test

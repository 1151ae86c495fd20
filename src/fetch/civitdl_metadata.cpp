#include "podctl/fetch/civitdl_metadata.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/fetch/inert.hpp"
#include "podctl/fetch/retry.hpp"
#include "podctl/fetch/url_rules.hpp"

#include "http_message.hpp"

#include <fmt/core.h>

#include <utility>

namespace podctl::fetch {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_image_bytes = 64u << 20;
constexpr std::chrono::minutes max_image_time{5};

// A page of a proxy or a login is no image, whatever its status says.
bool can_be_an_image(const HttpResponse& response) {
    const auto type = media_type(response);
    return type.empty() || type == "application/octet-stream" || type.starts_with("image/") ||
           type.starts_with("video/");
}

// Throws Error{network} that tells why there is none.
std::string image_bytes(const CivitdlMetadata::Image& image, HttpClient& http,
                        const Mirrors& mirrors, const RetryPolicy& retry,
                        const std::stop_token& stop) {
    const HttpRequest request{.url = mirrors.apply(image.url),
                              .timeout = max_image_time,
                              .max_body = max_image_bytes,
                              .authorization = HttpRequest::Authorization::none,
                              .reach = image.reach};
    checked_url(request.url);  // here, since a wrong one is not worth another attempt
    auto response = send_with_retry(http, request, retry, stop);
    if (response.status != 200)
        throw Error{ErrorKind::network,
                    fmt::format("{}: HTTP {}", shown(request.url), response.status)};
    if (!can_be_an_image(response))
        throw Error{ErrorKind::network,
                    fmt::format("{}: what came is no image", shown(request.url))};
    return std::move(response.body);
}

void write(const fs::path& path, const std::string& content, CivitdlMetadataReport& report) {
    if (read_file_if_exists(path) == content) return;
    write_file_atomically(path, content);
    report.written.push_back(path);
}

}  // namespace

CivitdlMetadataReport save_civitdl_metadata(const ResolvedFile& file, const fs::path& folder,
                                            const CivitdlMetadataOptions& options, HttpClient& http,
                                            const Mirrors& mirrors, const RetryPolicy& retry,
                                            std::stop_token stop) {
    const auto metadata = ask_civitdl_metadata(file, options, http, mirrors, retry, stop);
    CivitdlMetadataReport report{.warnings = metadata.warnings};
    for (const auto& text : metadata.texts)
        write(folder / text.path, text.content, report);
    for (const auto& image : metadata.images) {
        const auto name = image.path.filename().string();
        std::string bytes;
        try {
            bytes = image_bytes(image, http, mirrors, retry, stop);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::network && error.kind() != ErrorKind::not_found) throw;
            report.warnings.push_back(fmt::format("sample image {}", error.message()));
            continue;
        }
        const auto verdict = judge_bytes(bytes, name, stop);
        if (verdict.kind == Verdict::Kind::pickle) {
            report.warnings.push_back(
                fmt::format("sample image {}: {}, left out", name, verdict.what));
            continue;
        }
        write(folder / image.path, bytes, report);
        if (image.prompt) write(folder / image.prompt->path, image.prompt->content, report);
    }
    return report;
}

}  // namespace podctl::fetch

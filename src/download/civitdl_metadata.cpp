#include "podctl/download/civitdl_metadata.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/inert_name.hpp"
#include "podctl/base/names.hpp"
#include "podctl/download/inert.hpp"
#include "podctl/http/http_message.hpp"
#include "podctl/http/retry.hpp"
#include "podctl/http/url_rules.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

namespace podctl::download {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_image_bytes = 64u << 20;
constexpr std::chrono::minutes max_image_time{5};

// ComfyUI lists every model file below models/, in this folder too, and loading one can run code
// (supported_pt_extensions of https://github.com/comfyanonymous/ComfyUI, folder_paths.py).
bool is_named_like_a_model(const std::string& name) {
    const auto lower = to_lower(name);
    const auto is_end = [&](const char* end) { return lower.ends_with(end); };
    return !why_name_is_not_inert(name).empty() ||
           std::ranges::any_of(std::array{".safetensors", ".sft", ".gguf"}, is_end);
}

// A page of a proxy or a login is no image, whatever its status says.
bool can_be_an_image(const http::Response& response) {
    const auto type = http::media_type(response);
    return type.empty() || type == "application/octet-stream" || type.starts_with("image/") ||
           type.starts_with("video/");
}

// Throws Error{network} that tells why there is none.
std::string image_bytes(const hub::CivitdlMetadata::Image& image, http::Client& http,
                        const Mirrors& mirrors, const http::RetryPolicy& retry,
                        const std::stop_token& stop) {
    const http::Request request{.url = mirrors.apply(image.url),
                                .timeout = max_image_time,
                                .max_body = max_image_bytes,
                                .authorization = http::Request::Authorization::none,
                                .reach = image.reach};
    http::checked_url(request.url);  // here, since a wrong one is not worth another attempt
    auto response = http::send_with_retry(http, request, retry, stop);
    if (response.status != 200)
        throw Error{ErrorKind::network,
                    fmt::format("{}: HTTP {}", http::shown(request.url), response.status)};
    if (!can_be_an_image(response))
        throw Error{ErrorKind::network,
                    fmt::format("{}: what came is no image", http::shown(request.url))};
    return std::move(response.body);
}

class Saver {
public:
    Saver(fs::path folder, http::Client& http, const Mirrors& mirrors,
          const http::RetryPolicy& retry, std::stop_token stop)
        : folder_(std::move(folder)),
          http_(http),
          mirrors_(mirrors),
          retry_(retry),
          stop_(std::move(stop)) {}

    CivitdlMetadataReport save(const hub::CivitdlMetadata& metadata) {
        report_.warnings = metadata.warnings;
        for (const auto& text : metadata.texts)
            write(text.path, text.content);
        for (const auto& image : metadata.images)
            save_image(image);
        return std::move(report_);
    }

private:
    void save_image(const hub::CivitdlMetadata::Image& image) {
        const auto name = image.path.filename().string();
        if (is_named_like_a_model(name))
            return warn(fmt::format("sample image {}: named like a model, left out", name));
        std::string bytes;
        try {
            bytes = image_bytes(image, http_, mirrors_, retry_, stop_);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::network && error.kind() != ErrorKind::not_found) throw;
            return warn(fmt::format("sample image {}", error.message()));
        }
        const auto verdict = judge_bytes(bytes, name, stop_);
        if (verdict.kind == Verdict::Kind::pickle)
            return warn(fmt::format("sample image {}: {}, left out", name, verdict.what));
        write(image.path, bytes);
        if (image.prompt) write(image.prompt->path, image.prompt->content);
    }

    void write(const fs::path& name, const std::string& content) {
        const fs::path path = folder_ / name;
        if (read_file_if_exists(path) == content) return;
        write_file_atomically(path, content);
        report_.written.push_back(path);
    }

    void warn(std::string text) { report_.warnings.push_back(std::move(text)); }

    const fs::path folder_;
    http::Client& http_;
    const Mirrors& mirrors_;
    const http::RetryPolicy& retry_;
    const std::stop_token stop_;
    CivitdlMetadataReport report_;
};

}  // namespace

CivitdlMetadataReport save_civitdl_metadata(const hub::ResolvedFile& file, const fs::path& folder,
                                            const hub::CivitdlMetadataOptions& options,
                                            http::Client& http, const Mirrors& mirrors,
                                            const http::RetryPolicy& retry, std::stop_token stop) {
    const auto metadata = hub::ask_civitdl_metadata(file, options, http, mirrors, retry, stop);
    return Saver{folder, http, mirrors, retry, std::move(stop)}.save(metadata);
}

}  // namespace podctl::download

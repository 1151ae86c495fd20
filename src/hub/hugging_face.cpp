// The hub's resolve endpoint as huggingface_hub's file_download.py uses it.
#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/http/http_message.hpp"
#include "podctl/http/retry.hpp"
#include "podctl/http/url_rules.hpp"
#include "podctl/hub/hub_errors.hpp"

#include "hubs.hpp"

#include <fmt/core.h>

#include <charconv>

namespace podctl::hub {
namespace {

constexpr int max_relative_redirects = 10;

std::optional<std::uint64_t> linked_size(const http::Response& response) {
    const auto header = response.header("x-linked-size");
    std::uint64_t size = 0;
    if (!header || header->empty()) return std::nullopt;
    const auto [end, error] =
        std::from_chars(header->data(), header->data() + header->size(), size);
    if (error != std::errc{} || end != header->data() + header->size()) return std::nullopt;
    return size;
}

// A repository that was renamed redirects within the hub; the file's store is another origin, and
// its answer would hide the hub's headers.
http::Response head_of_file(const std::string& url, const Asking& asking) {
    http::Request request{.url = asking.mirrors.apply(url),
                          .method = "HEAD",
                          .redirects = http::Request::Redirects::report};
    for (int i = 0; i <= max_relative_redirects; ++i) {
        auto response = http::send_with_retry(asking.http, request, asking.retry, asking.stop);
        const auto location = response.header("location");
        const bool redirects = response.status >= 300 && response.status < 400 && location;
        if (!redirects || parse_url(*location)) return response;
        const auto target = resolve_reference(http::checked_url(request.url), *location);
        if (!target || target->origin() != http::checked_url(request.url).origin()) return response;
        request.url = target->to_string();
    }
    throw Error{ErrorKind::network, fmt::format("{}: more than {} redirects", http::shown(url),
                                                max_relative_redirects)};
}

// An LFS file's ETag is its SHA-256; a small file's is the id of its git blob.
std::string sha256_of(const http::Response& response) {
    auto etag = response.header("x-linked-etag");
    if (!etag) etag = response.header("etag");
    const std::string value = to_lower(http::etag_value(etag.value_or("")));
    return is_sha256(value) ? value : std::string{};
}

// The other digest that an ETag may be.
std::string git_blob_of(const http::Response& response) {
    const std::string value = to_lower(http::etag_value(response.header("etag").value_or("")));
    // A mirror that is no hub may have any ETag.
    const bool is_hubs = response.header("x-repo-commit") && !response.header("x-linked-etag");
    return is_hubs && is_git_id(value) ? value : std::string{};
}

}  // namespace

std::string hugging_face_root(const HuggingFaceSource& source) {
    std::string endpoint = source.endpoint;
    while (endpoint.ends_with('/'))
        endpoint.pop_back();
    return endpoint;
}

std::string kind_prefix(HuggingFaceSource::Kind kind) {
    switch (kind) {
        case HuggingFaceSource::Kind::model:
            break;
        case HuggingFaceSource::Kind::dataset:
            return "datasets/";
        case HuggingFaceSource::Kind::space:
            return "spaces/";
    }
    return {};
}

std::string hugging_face_url(const HuggingFaceSource& source, const std::string& revision) {
    return fmt::format("{}/{}{}/resolve/{}/{}", hugging_face_root(source), kind_prefix(source.kind),
                       source.repository, percent_encode(revision),
                       percent_encode(source.path, "/"));
}

ResolvedFile resolve_hugging_face(const HuggingFaceSource& source, const std::string& what,
                                  const Asking& asking) {
    const std::string url = hugging_face_url(source, source.revision);
    const auto response = head_of_file(url, asking);
    if (response.status >= 400 || response.status < 200) throw refusal(response, url, what);
    const std::string commit = response.header("x-repo-commit").value_or("");
    auto size = linked_size(response);
    if (!size && response.status == 200) size = http::content_length(response);
    return {
        // Pinned, so that a branch that moves between now and the download cannot mix two files.
        .url = commit.empty() ? url : hugging_face_url(source, commit),
        .name = source.path.substr(source.path.rfind('/') + 1),
        .size = size,
        .approximate_size = size,
        .sha256 = sha256_of(response),
        .git_blob = git_blob_of(response),
        .revision = commit,
    };
}

}  // namespace podctl::hub

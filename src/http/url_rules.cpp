#include "podctl/http/url_rules.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/host.hpp"
#include "podctl/base/names.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace podctl::http {
namespace {

// Servers send Location headers with raw spaces and UTF-8. Nothing else is touched: a presigned URL
// is not valid otherwise.
std::string with_spaces_encoded(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c > ' ' && c < 127)
            out += c;
        else
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

}  // namespace

std::string shown(std::string_view url) {
    const auto parsed = parse_url(url);
    if (!parsed) return std::string(url.substr(0, url.find_first_of("?#")));
    Url out = *parsed;
    out.userinfo.clear();
    out.query.clear();
    out.fragment.clear();
    return out.to_string();
}

Url checked_url(const std::string& text) {
    auto url = parse_url(text);
    const bool is_http = url && (url->scheme == "http" || url->scheme == "https");
    const auto fault = is_http ? host_fault(*url) : "it is no http or https URL";
    if (!fault.empty())
        throw Error{ErrorKind::network, fmt::format("{}: {}", shown(text), fault), "check the URL"};
    url->path = with_spaces_encoded(url->path);
    url->query = with_spaces_encoded(url->query);
    return *url;
}

bool has_dot_segments(const std::string& path) {
    const auto segments = split(path, '/');
    return std::ranges::any_of(segments, [](const std::string& segment) {
        const auto decoded = percent_decode(segment);
        return decoded == "." || decoded == "..";
    });
}

}  // namespace podctl::http

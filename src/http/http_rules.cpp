#include "http_rules.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/http/url_rules.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace podctl::http {
namespace {

// RFC 9110 §5.6.2: a token.
bool is_field_name(const std::string& name) {
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return !name.empty() && std::ranges::all_of(name, [&](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || others.find(c) != others.npos;
    });
}

// RFC 9110 §5.5: no control character, so that a value cannot begin a line of its own.
bool is_field_value(const std::string& value) {
    return !value.empty() && std::ranges::none_of(value, [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
    });
}

// What podctl says of each request by itself, and what would break it.
bool is_of_the_connection(const std::string& header) {
    constexpr std::array<std::string_view, 10> names{
        "host",       "content-length", "content-type",    "transfer-encoding",
        "connection", "upgrade",        "accept-encoding", "expect",
        "te",         "range"};
    return std::ranges::find(names, to_lower(header)) != names.end();
}

bool is_secret(const std::string& header) {
    const auto name = to_lower(header);
    return name == "authorization" || name == "cookie" || name == "proxy-authorization";
}

}  // namespace

bool covers(const std::string& prefix_text, const Url& url) {
    const auto prefix = parse_url(prefix_text);
    if (!prefix || prefix->origin() != url.origin() || has_dot_segments(url.path)) return false;
    const std::string path = url.path.empty() ? "/" : url.path;
    const std::string wanted = prefix->path.empty() ? "/" : prefix->path;
    if (!path.starts_with(wanted)) return false;
    // A prefix without a slash at its end must not cover /mirror-of-somebody-else.
    return wanted.ends_with('/') || path.size() == wanted.size() || path[wanted.size()] == '/';
}

bool may_carry_token(const Url& url, const Options& options) {
    return url.scheme == "https" || is_loopback(url) ||
           options.insecure_http == Options::InsecureHttp::allow;
}

Authorization authorization_for(const Url& url, const Options& options) {
    const Credential* best = nullptr;
    for (const auto& credential : options.credentials) {
        if (credential.token.empty() || !covers(credential.url_prefix, url)) continue;
        if (!best || credential.url_prefix.size() > best->url_prefix.size()) best = &credential;
    }
    if (!best) return {};
    if (!may_carry_token(url, options)) return {.withheld = true};
    return {.token = &best->token, .name = best->name};
}

std::vector<std::string> placed_header_lines(const Url& url, const Options& options) {
    std::vector<std::string> lines;
    if (!may_carry_token(url, options)) return lines;
    for (const auto& [prefix, name, value] : options.headers) {
        if (!covers(prefix, url)) continue;
        // The name is not quoted: who has mixed the two up has written the value there.
        if (!is_field_name(name))
            throw Error{
                ErrorKind::usage, "the name of a header is none",
                "letters, digits and dashes, NAME=VALUE: what curl takes as \"Name: value\" "
                "is Name=value here"};
        if (!is_field_value(value.reveal()))
            throw Error{ErrorKind::usage,
                        fmt::format("the value of the header {} is empty, or has a line break or "
                                    "another control character",
                                    name)};
        if (is_of_the_connection(name))
            throw Error{ErrorKind::usage,
                        fmt::format("the header {} belongs to the connection itself", name)};
        lines.push_back(name + ": " + value.reveal());
    }
    return lines;
}

std::vector<std::string> header_lines(const Request& request, Origin origin,
                                      const Authorization& authorization) {
    // A CDN that may compress ignores Range.
    std::vector<std::string> lines{"Accept-Encoding: identity", "Expect:"};
    for (const auto& [name, value] : request.headers) {
        if (origin == Origin::crossed && is_secret(name)) continue;
        if ((name + value).find_first_of("\r\n") != std::string::npos)
            throw Error{ErrorKind::internal, fmt::format("a line break in the header {}", name)};
        lines.push_back(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
    }
    if (!authorization.token) return lines;
    const std::string& token = authorization.token->reveal();
    if (token.find_first_of("\r\n") != std::string::npos)
        throw Error{ErrorKind::unauthorized, "a line break in a token",
                    "set CIVITAI_API_KEY and HF_TOKEN to one line each"};
    lines.push_back("Authorization: Bearer " + token);
    return lines;
}

std::optional<Redirect> redirect_of(const Response& response, const Url& from,
                                    const std::string& method, const Options& options) {
    const int status = response.status;
    if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
        return std::nullopt;
    const auto location = response.header("location");
    if (!location) return std::nullopt;
    const auto target = resolve_reference(from, *location);
    if (!target)
        throw Error{ErrorKind::network, fmt::format("{}: redirected to something that is no URL",
                                                    shown(from.to_string()))};
    Redirect redirect{.url = checked_url(target->to_string()), .method = method};
    redirect.url.fragment.clear();
    if (redirect.url.origin() != from.origin()) redirect.origin = Origin::crossed;
    if (from.scheme == "https" && redirect.url.scheme == "http" && !is_loopback(redirect.url) &&
        options.insecure_http == Options::InsecureHttp::refuse)
        throw Error{ErrorKind::network,
                    fmt::format("{}: redirected from https to plain http ({})",
                                shown(from.to_string()), shown(redirect.url.to_string())),
                    "--insecure-http allows it"};
    // RFC 9110 §15.4: 303 makes a GET of everything; by long practice 301 and 302 do so of a POST.
    if (status == 303 && method != "HEAD") redirect.method = "GET";
    if ((status == 301 || status == 302) && method == "POST") redirect.method = "GET";
    return redirect;
}

}  // namespace podctl::http

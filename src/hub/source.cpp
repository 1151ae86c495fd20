#include "podctl/hub/source.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/host.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/overloaded.hpp"
#include "podctl/base/url.hpp"
#include "podctl/base/utf8.hpp"

#include "source_forms.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace podctl::hub {
namespace {

// A line of a file that is no batch may be megabytes of anything.
std::string excerpt(std::string_view text) {
    constexpr std::size_t enough = 200;
    std::string out{utf8::cut(text, enough)};
    if (out.size() < text.size()) out += "…";
    std::ranges::replace_if(
        out, [](char c) { return (c >= 0 && c < ' ') || c == 127; }, '?');
    return out;
}

// ?token=VALUE leaks into logs, so it leaves the text; the rest of the query stays as it was.
std::string take_token(Url& url) {
    std::string token, kept;
    for (const auto& pair : split(url.query, '&')) {
        const auto equals = pair.find('=');
        if (equals != pair.npos && percent_decode(pair.substr(0, equals)) == "token")
            token = percent_decode(std::string_view(pair).substr(equals + 1));
        else
            kept += (kept.empty() ? "" : "&") + pair;
    }
    url.query = kept;
    return token;
}

// Whose pages the URL leads to.
enum class Website { civitai, hugging_face, other };

Website website_of(const Url& url) {
    const bool usual_port = !url.port || *url.port == (url.scheme == "http" ? 80 : 443);
    if ((url.scheme != "http" && url.scheme != "https") || !usual_port) return Website::other;
    if (is_civitai_host(url.host)) return Website::civitai;
    return is_hugging_face_host(url.host) ? Website::hugging_face : Website::other;
}

void check_plain_url(const Url& url, std::string_view text) {
    if (url.scheme == "s3" || url.scheme == "gs")
        refuse_source(text, fmt::format("{}:// needs the keys of an account", url.scheme),
                      "give the object's https URL: a presigned one, or a public object's, "
                      "https://BUCKET.s3.amazonaws.com/KEY or "
                      "https://storage.googleapis.com/BUCKET/KEY");
    if (url.scheme != "http" && url.scheme != "https" && url.scheme != "file")
        refuse_source(text, fmt::format("{}:// is not known", url.scheme));
    if (url.scheme == "file" &&
        (url.path.size() < 2 || !(url.host.empty() || url.host == "localhost")))
        refuse_source(text, "a file URL wants an absolute path", "file:///path/to/file");
    if (url.scheme == "file") return;
    if (const auto fault = host_fault(url); !fault.empty()) refuse_source(text, fault);
}

Source parse_url_source(std::string_view text, Url url) {
    check_plain_url(url, text);
    const auto hub = website_of(url);
    const auto at_mirror = under_endpoint(url);
    if (hub == Website::other && !at_mirror)
        return {.text = std::string(text), .location = UrlSource{std::string(text)}};
    const auto token = take_token(url);
    const std::string shown = token.empty() ? std::string(text) : url.to_string();
    Source source;
    if (hub == Website::civitai)
        source = {.text = shown, .location = parse_civitai_url(url, shown)};
    else
        source = parse_hf_url(at_mirror.value_or(url), shown);
    source.token_in_query = token;
    return source;
}

// civitdl takes a hub's address without its scheme, as browsers show it.
std::optional<Url> url_without_scheme(std::string_view text) {
    const auto host = to_lower(text.substr(0, text.find('/')));
    if (host.size() == text.size()) return std::nullopt;
    if (!is_civitai_host(host) && !is_hugging_face_host(host)) return std::nullopt;
    return parse_url("https://" + std::string(text));
}

// What follows one of `prefixes` in any case.
std::optional<std::string_view> after(std::initializer_list<std::string_view> prefixes,
                                      std::string_view text) {
    for (const auto prefix : prefixes)
        if (to_lower(text.substr(0, prefix.size())) == prefix) return text.substr(prefix.size());
    return std::nullopt;
}

std::string key_of(const CivitaiSource& source) {
    const auto id = [](const std::optional<long long>& value) { return value.value_or(0); };
    return fmt::format("civitai\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", source.origin,
                       id(source.model), id(source.version), id(source.file), source.sha256,
                       source.type, source.format, source.size, source.precision);
}

std::string key_of(const HuggingFaceSource& source) {
    return fmt::format("hf\n{}\n{}\n{}\n{}\n{}{}", source.endpoint, static_cast<int>(source.kind),
                       source.repository, source.revision, source.path,
                       source.is_folder ? "/" : "");
}

}  // namespace

const std::string_view known_forms =
    "a source is hf:ORG/REPO[@REV][/PATH], civitai:MODEL[@VERSION], an AIR, a Civitai or Hugging "
    "Face URL, a SHA-256, a Civitai model id, or any http(s) or file:// URL";

void refuse_source(std::string_view text, std::string_view why, std::string_view hint) {
    throw Error{ErrorKind::template_, fmt::format("source \"{}\": {}", excerpt(text), why),
                std::string(hint)};
}

bool is_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string> path_segments(const Url& url) {
    std::vector<std::string> segments;
    for (const auto& segment : split(url.path, '/'))
        if (!segment.empty()) segments.push_back(percent_decode(segment));
    return segments;
}

std::string_view take_until(std::string_view& rest, char mark) {
    const auto at = rest.find(mark);
    const auto part = rest.substr(0, at);
    rest = at == rest.npos ? std::string_view{} : rest.substr(at + 1);
    return part;
}

long long parse_id(std::string_view digits, std::string_view text, std::string_view what) {
    long long id = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (error != std::errc{} || end != digits.data() + digits.size() || id <= 0)
        refuse_source(text, fmt::format("\"{}\" is no {}", excerpt(digits), what));
    return id;
}

std::string location_key(const Location& location) {
    return std::visit(overloaded{[](const CivitaiSource& source) { return key_of(source); },
                                 [](const HuggingFaceSource& source) { return key_of(source); },
                                 [](const UrlSource& source) { return source.url; }},
                      location);
}

bool is_listed(const Source& source, std::span<const std::string> list) {
    return std::ranges::any_of(list, [&](const std::string& entry) {
        if (trim(entry) == source.text) return true;
        try {
            return location_key(parse_source(entry).location) == location_key(source.location);
        } catch (const Error&) {
            return false;  // a pack of the registry, say
        }
    });
}

Source parse_source(std::string_view given) {
    const auto text = trim(given);
    Source source{.text = std::string(text)};
    if (text.empty()) refuse_source(text, "is empty");
    if (is_digits(text)) {
        source.location =
            CivitaiSource{.model = parse_id(text, text, "model id"), .bare_number = true};
        source.note = fmt::format(
            "{} was taken for a Civitai model id; version ids are written "
            "civitai:MODEL@VERSION",
            text);
        return source;
    }
    const auto hash = after({"sha256:"}, text).value_or(text);
    if (is_sha256(hash)) {
        source.location = CivitaiSource{.sha256 = to_lower(hash)};
        return source;
    }
    if (const auto rest = after({"hf://", "hf:"}, text)) {
        source.location = parse_hf(*rest, text);
        return source;
    }
    const auto id = after({"civitai:"}, text);
    if (id && !id->starts_with("//")) return parse_civitai_id(*id, text);
    if (const auto url = parse_url(text)) return parse_url_source(text, *url);
    if (const auto url = url_without_scheme(text)) return parse_url_source(text, *url);
    if (auto air = parse_air(text)) return *air;
    refuse_source(text, "is no source that podctl knows");
}

}  // namespace podctl::hub

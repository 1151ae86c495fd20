#include "podctl/base/url.hpp"

#include "podctl/base/names.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>

namespace podctl {

namespace {

constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view digits = "0123456789";

bool is_one_of(char c, std::string_view set) {
    return set.find(c) != std::string_view::npos;
}

bool has_control_characters(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

// The length of "scheme" in "scheme:…", or 0.
std::size_t scheme_length(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0) return 0;
    if (!is_one_of(text[0], alphabet)) return 0;
    const auto scheme = text.substr(0, colon);
    const bool valid = std::all_of(scheme.begin(), scheme.end(), [](char c) {
        return is_one_of(c, alphabet) || is_one_of(c, digits) || is_one_of(c, "+-.");
    });
    return valid ? colon : 0;
}

std::optional<std::uint16_t> default_port(std::string_view scheme) {
    if (scheme == "https") return std::uint16_t{443};
    if (scheme == "http") return std::uint16_t{80};
    if (scheme == "ssh") return std::uint16_t{22};
    if (scheme == "git") return std::uint16_t{9418};
    if (scheme == "ftp") return std::uint16_t{21};
    return std::nullopt;
}

// ":8080", ":" or nothing.
bool read_port(std::string_view text, Url& url) {
    if (text.empty() || text == ":") return true;
    if (text.front() != ':') return false;
    text.remove_prefix(1);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0) return false;
    url.port = port;
    return true;
}

// The address without its brackets and zone.
std::optional<in6_addr> ipv6_address(std::string_view host) {
    if (host.size() < 4 || host.front() != '[' || host.back() != ']') return std::nullopt;
    host = host.substr(1, host.size() - 2);
    const std::string address{host.substr(0, host.find('%'))};
    in6_addr result{};
    if (::inet_pton(AF_INET6, address.c_str(), &result) != 1) return std::nullopt;
    return result;
}

bool read_authority(std::string_view authority, Url& url) {
    // Some clients take a backslash for a slash: what is ambiguous about the host is refused.
    if (authority.find('\\') != std::string_view::npos) return false;
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
        url.userinfo = authority.substr(0, at);
        authority.remove_prefix(at + 1);
    }
    std::size_t host_end = authority.find(':');
    if (authority.starts_with('[')) {
        host_end = authority.find(']');
        if (host_end == std::string_view::npos) return false;
        ++host_end;
    }
    url.host = to_lower(authority.substr(0, host_end));
    if (url.host.starts_with('[') && !ipv6_address(url.host)) return false;
    if (!url.host.starts_with('[') && url.host.find_first_of(" \"<>[]^`{|}") != std::string::npos)
        return false;
    if (host_end != std::string_view::npos && !read_port(authority.substr(host_end), url))
        return false;
    return !url.host.empty() || (url.scheme == "file" && url.userinfo.empty() && !url.port);
}

struct Tail {
    std::string_view path;
    std::optional<std::string_view> query, fragment;  // "?" and "" are not the same reference
};

Tail split_tail(std::string_view text) {
    Tail tail;
    if (const auto hash = text.find('#'); hash != std::string_view::npos) {
        tail.fragment = text.substr(hash + 1);
        text = text.substr(0, hash);
    }
    if (const auto mark = text.find('?'); mark != std::string_view::npos) {
        tail.query = text.substr(mark + 1);
        text = text.substr(0, mark);
    }
    tail.path = text;
    return tail;
}

// RFC 3986 §5.2.4, for a path that begins with a slash.
std::string remove_dot_segments(std::string_view path) {
    if (path.empty()) return {};
    std::vector<std::string> kept;
    const auto segments = split(path.substr(1), '/');
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const bool up = segments[i] == "..";
        if (up && !kept.empty()) kept.pop_back();
        if (!up && segments[i] != ".") {
            kept.push_back(segments[i]);
            continue;
        }
        if (i + 1 == segments.size()) kept.emplace_back();  // "/a/.." is the folder "/"
    }
    std::string result;
    for (const auto& segment : kept)
        result += "/" + segment;
    return result;
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::string Url::origin() const {
    std::string result = scheme + "://" + host;
    const auto known = port ? port : default_port(scheme);
    if (known) result += ":" + std::to_string(*known);
    return result;
}

std::string Url::to_string() const {
    std::string result = scheme + "://";
    if (!userinfo.empty()) result += userinfo + "@";
    result += host;
    if (port) result += ":" + std::to_string(*port);
    result += path;
    if (!query.empty()) result += "?" + query;
    if (!fragment.empty()) result += "#" + fragment;
    return result;
}

std::optional<std::string> Url::parameter(std::string_view name) const {
    for (const std::string& pair : split(query, '&')) {
        const auto equals = pair.find('=');
        if (percent_decode(std::string_view{pair}.substr(0, equals)) != name) continue;
        if (equals == std::string::npos) return std::string{};
        return percent_decode(std::string_view{pair}.substr(equals + 1));
    }
    return std::nullopt;
}

std::string Url::file_name() const {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return {};
    return percent_decode(std::string_view{path}.substr(slash + 1));
}

std::optional<Url> parse_url(std::string_view text) {
    if (has_control_characters(text)) return std::nullopt;
    const std::size_t length = scheme_length(text);
    if (length == 0 || text.substr(length, 3) != "://") return std::nullopt;
    Url url;
    url.scheme = to_lower(text.substr(0, length));
    text.remove_prefix(length + 3);
    const auto authority_end = std::min(text.find_first_of("/?#"), text.size());
    if (!read_authority(text.substr(0, authority_end), url)) return std::nullopt;
    const Tail tail = split_tail(text.substr(authority_end));
    url.path = tail.path;
    url.query = tail.query.value_or("");
    url.fragment = tail.fragment.value_or("");
    return url;
}

std::optional<Url> resolve_reference(const Url& base, std::string_view reference) {
    if (has_control_characters(reference)) return std::nullopt;
    if (scheme_length(reference) > 0 || reference.starts_with("//")) {
        const bool has_scheme = !reference.starts_with("//");
        auto url = parse_url(has_scheme ? std::string{reference}
                                        : base.scheme + ":" + std::string{reference});
        if (url) url->path = remove_dot_segments(url->path);
        return url;
    }
    const Tail tail = split_tail(reference);
    Url url = base;
    url.fragment = tail.fragment.value_or("");
    if (tail.path.empty()) {
        if (tail.query) url.query = *tail.query;
        return url;
    }
    url.query = tail.query.value_or("");
    if (tail.path.starts_with('/'))
        url.path = remove_dot_segments(tail.path);
    else
        url.path = remove_dot_segments(
            (base.path.empty() ? "/" : base.path.substr(0, base.path.rfind('/') + 1)) +
            std::string{tail.path});
    return url;
}

std::string percent_decode(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
                            hex_value(text[i + 2]) >= 0;
        if (!escape) {
            result += text[i];
            continue;
        }
        result += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
        i += 2;
    }
    return result;
}

std::string percent_encode(std::string_view text, std::string_view keep) {
    static constexpr char hex[] = "0123456789ABCDEF";
    std::string result;
    for (const char c : text) {
        if (is_one_of(c, alphabet) || is_one_of(c, digits) || is_one_of(c, "-._~") ||
            is_one_of(c, keep)) {
            result += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        result += '%';
        result += hex[byte >> 4];
        result += hex[byte & 0xF];
    }
    return result;
}

bool is_loopback(const Url& url) {
    if (url.host == "localhost") return true;
    if (const auto address = ipv6_address(url.host)) return IN6_IS_ADDR_LOOPBACK(&*address);
    in_addr address{};
    return ::inet_pton(AF_INET, url.host.c_str(), &address) == 1 &&
           ntohl(address.s_addr) >> 24 == 127;
}

Mirrors::Mirrors(std::vector<std::pair<std::string, std::string>> prefixes)
    : prefixes_{std::move(prefixes)} {
    std::erase_if(prefixes_, [](const auto& prefix) { return prefix.first.empty(); });
    std::stable_sort(prefixes_.begin(), prefixes_.end(),
                     [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
}

std::string Mirrors::apply(std::string_view url) const {
    for (const auto& [from, to] : prefixes_)
        if (url.starts_with(from)) return to + std::string{url.substr(from.size())};
    return std::string{url};
}

bool Mirrors::covers(std::string_view url) const {
    return std::any_of(prefixes_.begin(), prefixes_.end(),
                       [&](const auto& prefix) { return url.starts_with(prefix.first); });
}

}  // namespace podctl

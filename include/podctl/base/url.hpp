#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podctl {

// A URL in parts (RFC 3986). Path and query keep their percent-encoding as it was given: a
// presigned URL is not valid otherwise.
struct Url {
    std::string scheme = {};    // lower case
    std::string userinfo = {};  // without the @
    std::string host = {};      // lower case; an IPv6 address with its brackets
    std::optional<std::uint16_t> port = {};
    std::string path = {};      // "/…" or empty
    std::string query = {};     // without the ?
    std::string fragment = {};  // without the #

    // Scheme, host and port with the scheme's default port filled in: what a token is bound to.
    std::string origin() const;
    std::string to_string() const;
    // The value of a query parameter, percent-decoded; nullopt: absent.
    std::optional<std::string> parameter(std::string_view name) const;
    // The last segment of the path, percent-decoded; empty for a path that ends in /.
    std::string file_name() const;
};

// nullopt: no scheme://, control characters, an impossible port.
std::optional<Url> parse_url(std::string_view text);

// The target of a Location header, which may be relative to `base` (RFC 3986 §5.2).
std::optional<Url> resolve_reference(const Url& base, std::string_view reference);

std::string percent_decode(std::string_view text);
// Encodes everything but unreserved characters and those in `keep`.
std::string percent_encode(std::string_view text, std::string_view keep = {});

// 127.0.0.0/8, [::1] or localhost.
bool is_loopback(const Url& url);

// Prefix → prefix, for every clone, download and API call; the longest prefix wins (spec §2,
// mirrors).
class Mirrors {
public:
    Mirrors() = default;
    explicit Mirrors(std::vector<std::pair<std::string, std::string>> prefixes);

    // The URL with its prefix replaced, or as it was.
    std::string apply(std::string_view url) const;
    bool covers(std::string_view url) const;
    const std::vector<std::pair<std::string, std::string>>& prefixes() const { return prefixes_; }

private:
    std::vector<std::pair<std::string, std::string>> prefixes_;  // longest first
};

}  // namespace podctl

#include "podctl/base/redact.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/url.hpp"

#include <algorithm>
#include <array>

namespace podctl {

namespace {

constexpr std::size_t min_secret_bytes = 4;

bool ends_url(char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '"' || c == '<' || c == '>' ||
           c == '`' || c == '\\';
}

// The parameters by which S3, CloudFront, Google, Azure, OSS and the hubs sign a URL.
bool is_presigning(std::string_view parameter) {
    static constexpr std::array<std::string_view, 17> names{"signature",      "sig",
                                                            "token",          "policy",
                                                            "expires",        "key-pair-id",
                                                            "awsaccesskeyid", "googleaccessid",
                                                            "access_token",   "security-token",
                                                            "api_key",        "apikey",
                                                            "api-key",        "password",
                                                            "secret",         "ossaccesskeyid",
                                                            "q-signature"};
    const std::string lower = to_lower(parameter);
    return lower.starts_with("x-amz-") || lower.starts_with("x-goog-") ||
           lower.starts_with("x-oss-") ||
           std::find(names.begin(), names.end(), lower) != names.end();
}

// A URL inside a parameter is looked into as well, so the query is decoded before it is split.
bool is_presigned(std::string_view query) {
    const std::string decoded = percent_decode(query);
    for (std::size_t start = 0; start < decoded.size();) {
        const auto end = std::min(decoded.find_first_of("&?;", start), decoded.size());
        const auto pair = std::string_view{decoded}.substr(start, end - start);
        const auto equals = pair.find('=');
        if (equals != std::string_view::npos && is_presigning(pair.substr(0, equals))) return true;
        start = end + 1;
    }
    return false;
}

// Where the query that begins at `start` ends. Punctuation at its end belongs to the sentence.
std::size_t query_end(std::string_view text, std::size_t start) {
    std::size_t end = start;
    while (end < text.size() && text[end] != '#' && !ends_url(text[end]))
        ++end;
    while (end > start &&
           std::string_view{"'),.;:!?]}"}.find(text[end - 1]) != std::string_view::npos)
        --end;
    return end;
}

// Looks at every ? and &, in a URL or not: programs also print bare request targets.
std::string hide_presigned_queries(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        result += text[i];
        if (text[i] != '?' && text[i] != '&') continue;
        const std::size_t end = query_end(text, i + 1);
        if (!is_presigned(text.substr(i + 1, end - i - 1))) continue;
        result += "***";
        i = end - 1;
    }
    return result;
}

std::string scheme_before(std::string_view text, std::size_t mark) {
    constexpr std::size_t longest = 5;  // "https" is all that is asked for
    const std::size_t length = std::min(mark, longest);
    return to_lower(text.substr(mark - length, length));
}

// "user:***" for "user:password". Without a colon http has a token there, ssh a name.
std::string hidden_userinfo(std::string_view userinfo, std::string_view scheme) {
    const auto colon = userinfo.find(':');
    if (colon != std::string_view::npos) return std::string{userinfo.substr(0, colon)} + ":***";
    return scheme.ends_with("http") || scheme.ends_with("https") ? "***" : std::string{userinfo};
}

std::string hide_passwords(std::string_view text) {
    std::string result;
    std::size_t done = 0;
    for (auto mark = text.find("://"); mark != std::string_view::npos;
         mark = text.find("://", done)) {
        const std::size_t start = mark + 3;
        std::size_t end = start;
        while (end < text.size() && !ends_url(text[end]) && text[end] != '/' && text[end] != '?' &&
               text[end] != '#')
            ++end;
        const auto authority = text.substr(start, end - start);
        result += text.substr(done, start - done);
        const auto at = authority.rfind('@');
        if (at == std::string_view::npos) {
            done = start;
            continue;
        }
        result += hidden_userinfo(authority.substr(0, at), scheme_before(text, mark));
        done = start + at;
    }
    return result += text.substr(done);
}

void replace_all(std::string& text, const std::string& value) {
    for (auto at = text.find(value); at != std::string::npos; at = text.find(value, at + 3))
        text.replace(at, value.size(), "***");
}

}  // namespace

Redactor::Redactor(const std::vector<Secret>& secrets) {
    for (const Secret& secret : secrets) {
        const std::string& value = secret.reveal();
        if (value.size() < min_secret_bytes) continue;
        values_.push_back(value);
        const std::string encoded = percent_encode(value);
        if (encoded == value) continue;
        values_.push_back(encoded);
        // The hex digits of an escape may be of either case.
        std::string lower = encoded;
        for (std::size_t i = 0; i + 2 < lower.size(); ++i)
            if (lower[i] == '%') lower.replace(i + 1, 2, to_lower(lower.substr(i + 1, 2)));
        values_.push_back(lower);
    }
    // A secret that holds another one goes first.
    std::sort(values_.begin(), values_.end(),
              [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

std::string Redactor::operator()(std::string_view text) const {
    std::string result{text};
    for (const std::string& value : values_)
        replace_all(result, value);
    if (result.find("://") != std::string::npos) result = hide_passwords(result);
    if (result.find_first_of("?&") != std::string::npos) result = hide_presigned_queries(result);
    return result;
}

}  // namespace podctl

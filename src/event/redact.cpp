#include "podctl/event/redact.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/secret_names.hpp"
#include "podctl/base/url.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace podctl {

namespace {

constexpr std::size_t min_secret_bytes = 4;

bool ends_url(char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '"' || c == '<' || c == '>' ||
           c == '`' || c == '\\';
}

// A URL inside a parameter is looked into as well, so the query is decoded before it is split.
bool is_presigned(std::string_view query) {
    const std::string decoded = percent_decode(query);
    for (std::size_t start = 0; start < decoded.size();) {
        const auto end = std::min(decoded.find_first_of("&?;", start), decoded.size());
        const auto pair = std::string_view{decoded}.substr(start, end - start);
        const auto equals = pair.find('=');
        if (equals != std::string_view::npos && is_secret_parameter(pair.substr(0, equals)))
            return true;
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

// Looks at every ?, & and #, in a URL or not: programs also print bare request targets, and logins
// hand tokens over in fragments.
std::string hide_presigned_queries(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        result += text[i];
        if (text[i] != '?' && text[i] != '&' && text[i] != '#') continue;
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
    // A template's reference to a variable is none.
    const auto secret = colon == std::string_view::npos ? userinfo : userinfo.substr(colon + 1);
    if (secret.starts_with("${") && secret.ends_with('}')) return std::string{userinfo};
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

// As JSON and most other notations write it in double quotes; `slash` is the form of a slash, which
// some escape as well.
std::string escaped(std::string_view value, std::string_view slash) {
    std::string result;
    for (const char c : value) {
        switch (c) {
            case '"':
            case '\\':
                result += '\\';
                result += c;
                break;
            case '\n':
                result += "\\n";
                break;
            case '\r':
                result += "\\r";
                break;
            case '\t':
                result += "\\t";
                break;
            case '/':
                result += slash;
                break;
            default:
                result += c;
        }
    }
    return result;
}

// The digits of base64 that `value` alone decides, where `before` bytes (0 to 2 of a group of
// three) stand before it: `user:TOKEN` in a header shows the token at any of the three.
std::string base64_of(std::string_view value, std::size_t before, std::string_view digits) {
    std::string result;
    const std::size_t bits = (before + value.size()) * 8;
    for (std::size_t bit = (before * 8 + 5) / 6 * 6; bit + 6 <= bits; bit += 6) {
        unsigned digit = 0;
        for (std::size_t i = bit; i < bit + 6; ++i) {
            const auto byte = static_cast<unsigned char>(value[i / 8 - before]);
            digit = digit << 1 | (byte >> (7 - i % 8) & 1u);
        }
        result += digits[digit];
    }
    return result;
}

// How one value may stand in a text.
void add_forms(std::string_view value, std::vector<std::string>& forms) {
    forms.emplace_back(value);
    const std::string encoded = percent_encode(value);
    forms.push_back(encoded);
    // The hex digits of an escape may be of either case.
    std::string lower = encoded;
    for (std::size_t i = 0; i + 2 < lower.size(); ++i)
        if (lower[i] == '%') lower.replace(i + 1, 2, to_lower(lower.substr(i + 1, 2)));
    forms.push_back(std::move(lower));
    forms.push_back(escaped(value, "/"));
    forms.push_back(escaped(value, "\\/"));
    // Of a shorter one too few digits are left to tell it from other text.
    constexpr std::size_t shortest_in_base64 = 8;
    if (value.size() < shortest_in_base64) return;
    static const std::string common =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (std::size_t before = 0; before < 3; ++before) {
        forms.push_back(base64_of(value, before, common + "+/"));
        forms.push_back(base64_of(value, before, common + "-_"));
    }
}

// A private key is printed line by line; what frames it is known to everybody.
std::vector<std::string> lines_of_secret(std::string_view value) {
    constexpr std::size_t shortest_line = 8;
    std::vector<std::string> lines;
    for (const std::string& line : split(value, '\n')) {
        const auto text = trim(line);
        if (text.size() >= shortest_line && !text.starts_with("-----")) lines.emplace_back(text);
    }
    return lines;
}

bool is_switch(std::string_view value) {
    static constexpr std::array<std::string_view, 6> switches = {"true", "false",    "none",
                                                                 "null", "disabled", "enabled"};
    return std::find(switches.begin(), switches.end(), to_lower(value)) != switches.end();
}

}  // namespace

Redactor::Redactor(const std::vector<Secret>& secrets) {
    for (const Secret& secret : secrets) {
        const auto value = trim(secret.reveal());
        if (value.size() < min_secret_bytes || is_switch(value)) continue;
        add_forms(value, values_);
        if (value.find('\n') == std::string_view::npos) continue;
        for (const auto& line : lines_of_secret(value))
            add_forms(line, values_);
    }
    // A secret that holds another one goes first.
    std::sort(values_.begin(), values_.end(), [](const auto& a, const auto& b) {
        return std::pair{b.size(), a} < std::pair{a.size(), b};
    });
    values_.erase(std::unique(values_.begin(), values_.end()), values_.end());
}

std::string Redactor::operator()(std::string_view text) const {
    std::string result{text};
    for (const std::string& value : values_)
        replace_all(result, value);
    if (result.find("://") != std::string::npos) result = hide_passwords(result);
    if (result.find_first_of("?&#") != std::string::npos) result = hide_presigned_queries(result);
    return result;
}

}  // namespace podctl

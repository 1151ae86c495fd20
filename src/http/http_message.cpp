#include "podctl/http/http_message.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/url.hpp"

#include <time.h>

#include <algorithm>
#include <charconv>

namespace podctl::http {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::optional<std::chrono::system_clock::time_point> http_date(const std::string& text) {
    for (const char* form : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT"}) {
        tm parts{};
        const char* end = ::strptime(text.c_str(), form, &parts);
        if (!end || *end != '\0') continue;
        // The clock counts nanoseconds, which end in the year 2262; a header's year in 9999.
        constexpr time_t last_second = 9'000'000'000;
        const auto seconds = std::clamp(::timegm(&parts), time_t{0}, last_second);
        return std::chrono::system_clock::from_time_t(seconds);
    }
    return std::nullopt;
}

// A parameter of a header such as `attachment; filename="a;b.bin"`; quotes may hold the separator.
std::optional<std::string> header_parameter(std::string_view header, std::string_view name) {
    std::size_t at = header.find(';');
    while (at < header.size()) {
        const auto equals = header.find('=', at);
        if (equals == header.npos) return std::nullopt;
        const auto key = trim(header.substr(at + 1, equals - at - 1));
        std::string value;
        std::size_t i = equals + 1;
        while (i < header.size() && header[i] == ' ')
            ++i;
        if (i < header.size() && header[i] == '"') {
            for (++i; i < header.size() && header[i] != '"'; ++i) {
                if (header[i] == '\\' && i + 1 < header.size()) ++i;
                value += header[i];
            }
            at = header.find(';', i);
        } else {
            at = header.find(';', i);
            value = trim(header.substr(i, at == header.npos ? at : at - i));
        }
        if (to_lower(key) == name) return value;
    }
    return std::nullopt;
}

}  // namespace

std::optional<ContentRange> content_range(const Response& response) {
    const auto header = response.header("content-range");
    if (!header || !to_lower(*header).starts_with("bytes ")) return std::nullopt;
    const auto rest = trim(std::string_view(*header).substr(6));
    const auto slash = rest.find('/');
    if (slash == rest.npos) return std::nullopt;
    ContentRange range{.total = number(rest.substr(slash + 1))};
    if (!range.total && rest.substr(slash + 1) != "*") return std::nullopt;
    const auto bounds = rest.substr(0, slash);
    if (bounds == "*") return range;
    const auto dash = bounds.find('-');
    if (dash == bounds.npos) return std::nullopt;
    range.first = number(bounds.substr(0, dash));
    range.last = number(bounds.substr(dash + 1));
    if (!range.first || !range.last || *range.last < *range.first) return std::nullopt;
    return range;
}

std::optional<std::uint64_t> content_length(const Response& response) {
    const auto header = response.header("content-length");
    return header ? number(*header) : std::nullopt;
}

std::optional<std::chrono::milliseconds> retry_after(const Response& response,
                                                     std::chrono::system_clock::time_point now) {
    using std::chrono::milliseconds;
    constexpr std::uint64_t a_year = 365ull * 24 * 3600;
    if (const auto header = response.header("retry-after")) {
        if (const auto seconds = number(*header))
            return std::chrono::seconds{std::min(*seconds, a_year)};
        if (const auto date = http_date(*header))
            return std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(*date - now));
    }
    if (const auto header = response.header("ratelimit")) {
        const auto reset = header_parameter(*header, "t");
        const auto seconds = reset ? number(*reset) : std::nullopt;
        if (seconds) return std::chrono::seconds{std::min(*seconds, a_year) + 1};
    }
    return std::nullopt;
}

std::string disposition_name(const Response& response) {
    const auto header = response.header("content-disposition");
    if (!header) return {};
    if (const auto extended = header_parameter(*header, "filename*")) {
        // charset'language'value
        const auto first = extended->find('\'');
        const auto second = first == std::string::npos ? first : extended->find('\'', first + 1);
        if (second != std::string::npos)
            return percent_decode(std::string_view(*extended).substr(second + 1));
    }
    return header_parameter(*header, "filename").value_or("");
}

bool is_weak(std::string_view etag) {
    return etag.starts_with("W/") || etag.starts_with("w/");
}

std::string etag_value(std::string_view etag) {
    if (is_weak(etag)) etag.remove_prefix(2);
    if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"')
        etag = etag.substr(1, etag.size() - 2);
    return std::string(etag);
}

std::string media_type(const Response& response) {
    const std::string header = response.header("content-type").value_or("");
    return to_lower(trim(std::string_view(header).substr(0, header.find(';'))));
}

}  // namespace podctl::http

#include "reach.hpp"

#include "podctl/base/host.hpp"
#include "podctl/base/names.hpp"

#include "http_rules.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>

namespace podctl::fetch {
namespace {

std::string variable(std::initializer_list<const char*> names) {
    for (const char* name : names)
        if (const char* value = std::getenv(name); value && *value) return value;
    return {};
}

// "*", or a list of hosts and of domains, with or without a dot before them.
bool is_excepted(std::string_view host, const std::string& exceptions) {
    if (host.ends_with('.')) host.remove_suffix(1);
    std::string list = exceptions;
    std::ranges::replace(list, ',', ' ');
    for (const auto& word : split(list, ' ')) {
        std::string_view name = word;
        if (name == "*") return true;
        if (name.starts_with('.')) name.remove_prefix(1);
        if (name.empty()) continue;
        const auto lower = to_lower(name);
        if (host == lower || (host.ends_with(lower) && host.size() > lower.size() &&
                              host[host.size() - lower.size() - 1] == '.'))
            return true;
    }
    return false;
}

bool is_own_place(const Url& url, const HttpOptions& options) {
    return std::ranges::any_of(options.own_places,
                               [&](const std::string& place) { return covers(place, url); });
}

}  // namespace

bool is_on_internet(const Url& url, std::string_view address) {
    if (names_internal_address(url)) return false;
    return goes_through_proxy(url) || !is_internal_address(address);
}

void check_reach(const Url& url, const HttpOptions& options) {
    if (names_internal_address(url) && !is_own_place(url, options)) throw out_of_reach(url);
}

bool is_judged_by_address(const Url& url, const HttpOptions& options) {
    return !goes_through_proxy(url) && !is_own_place(url, options);
}

// No fault that passes, so none that is tried again.
Error out_of_reach(const Url& url) {
    return Error{ErrorKind::not_found,
                 fmt::format("{}: a server on the internet leads into the networks around this "
                             "machine",
                             shown(url.to_string())),
                 "if that is meant, name the place yourself: --mirror FROM=TO, or its own URL"};
}

bool goes_through_proxy(const Url& url) {
    // set_connection() of exchange.cpp sees to that.
    if (is_loopback(url)) return false;
    // HTTP_PROXY in capitals is not read: in a CGI program it is a header of the client's.
    const auto proxy = url.scheme == "https"
                           ? variable({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
                           : variable({"http_proxy", "all_proxy", "ALL_PROXY"});
    return !proxy.empty() && !is_excepted(url.host, variable({"no_proxy", "NO_PROXY"}));
}

}  // namespace podctl::fetch

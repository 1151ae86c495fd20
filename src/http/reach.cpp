#include "reach.hpp"

#include "podctl/base/host.hpp"
#include "podctl/http/url_rules.hpp"

#include "http_rules.hpp"
#include "proxy.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace podctl::http {
namespace {

bool is_own_place(const Url& url, const Options& options) {
    return std::ranges::any_of(options.own_places,
                               [&](const std::string& place) { return covers(place, url); });
}

}  // namespace

bool is_on_internet(const Url& url, std::string_view address) {
    if (names_internal_address(url)) return false;
    return goes_through_proxy(url) || !is_internal_address(address);
}

void check_reach(const Url& url, const Options& options) {
    if (names_internal_address(url) && !is_own_place(url, options)) throw out_of_reach(url);
}

bool is_judged_by_address(const Url& url, const Options& options) {
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

}  // namespace podctl::http

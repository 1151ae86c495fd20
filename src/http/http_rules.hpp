#pragma once

#include "podctl/base/url.hpp"
#include "podctl/http/http.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::http {

// Whether a URL lies under a prefix, in a way that no server reads otherwise.
bool covers(const std::string& prefix, const Url& url);

// Whether a chain of redirects has left the origin that was asked first; it never counts as back.
enum class Origin { same, crossed };

// "Name: value" as libcurl takes them, with podctl's own. What is secret stays with the first
// origin.
std::vector<std::string> header_lines(const Request& request, Origin origin,
                                      const Authorization& authorization);

// Where a redirect leads, and what of the request goes along.
struct Redirect {
    Url url;
    Origin origin = Origin::same;
    std::string method;
};

// nullopt: the status is no redirect, or it has no Location. Throws Error{network} for a target
// that is no http(s) URL, and for a step from https down to plain http.
std::optional<Redirect> redirect_of(const Response& response, const Url& from,
                                    const std::string& method, const Options& options);

}  // namespace podctl::http

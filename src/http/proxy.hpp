#pragma once

#include "podctl/base/url.hpp"

#include <optional>
#include <string>

// Which proxy is asked for a URL: the one rule, for downloads, APIs and git. It reads the variables
// that curl and git read, itself, because versions of libcurl differ in what they make of NO_PROXY,
// and because what may be reached is judged by it, too.
namespace podctl::http {

struct Proxy {
    std::string url;       // as the variable has it: a login may stand in it
    std::string variable;  // "https_proxy"
};

// $http_proxy or $https_proxy by the URL's scheme, else $ALL_PROXY; in small letters first, and
// HTTP_PROXY never: in a CGI program it is a header of the client's. nullopt: none is set, the host
// is loopback (a pod's own services), or $NO_PROXY excepts it: "*", or names with the domains
// below them, addresses and networks (10.0.0.0/8), with commas or blanks between.
// (https://curl.se/libcurl/c/libcurl-env.html)
std::optional<Proxy> proxy_for(const Url& url);

// A proxy resolves the host's name, and the address that is connected to is the proxy's own.
inline bool goes_through_proxy(const Url& url) {
    return proxy_for(url).has_value();
}

// "HOST:PORT of $https_proxy", for messages: a login stays out.
std::string shown(const Proxy& proxy);
bool has_login(const Proxy& proxy);

}  // namespace podctl::http

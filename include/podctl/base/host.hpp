#pragma once

#include "podctl/base/url.hpp"

#include <string>
#include <string_view>

struct sockaddr;

namespace podctl {

// Why nothing can be asked at the place that a URL names, whatever the network is, in words of its
// own with nothing of the URL in them: no host, one with letters beyond ASCII (its ASCII form says
// which host is meant, to people too), characters that no host has, a user name that no client
// takes. Empty: it can be asked. It is the rule for http, https and ssh alike, and libcurl takes
// whatever passes.
std::string host_fault(const Url& url);

// Addresses that lead to this machine or into the networks around it, and nowhere else: loopback,
// private (RFC 1918), shared (RFC 6598), link-local, unique-local (RFC 4193), unspecified,
// multicast and reserved ones, also as IPv6 addresses that stand for such an IPv4 one (mapped,
// 6to4, NAT64). Anything but IPv4 and IPv6 counts as such.
bool is_internal_address(const sockaddr& address);
// The same of an address in text. What is no address is not.
bool is_internal_address(std::string_view text);
// The same of a host as a URL writes it, before anybody resolves it: an address in any form that
// clients take (127.1, 0x7f000001, [::ffff:10.0.0.1]), localhost and names under it.
bool names_internal_address(const Url& url);

}  // namespace podctl

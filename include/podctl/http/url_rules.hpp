#pragma once

#include "podctl/base/url.hpp"

#include <string>
#include <string_view>

namespace podctl::http {

// Scheme, host and path: a query may hold a signature, so no message shows one.
std::string shown(std::string_view url);

// An http or https URL that every parser reads in the same way, and that can be asked
// (host_fault()). Throws Error{network}.
Url checked_url(const std::string& text);

// Whether a path has . or .. in it, also percent-encoded: /mirror/../other leaves the prefix that
// its text starts with.
bool has_dot_segments(const std::string& path);

}  // namespace podctl::http

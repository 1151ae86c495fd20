#pragma once

#include "podctl/base/error.hpp"
#include "podctl/base/url.hpp"
#include "podctl/http/http.hpp"

#include <string_view>

// Where a request may end up. A hub that is asked on the internet has no business with the networks
// around this machine: what it names, by a redirect or in an answer, must not be there.
namespace podctl::http {

// Whether the host that answered is none of the networks around this machine. `address` is what was
// connected to.
bool is_on_internet(const Url& url, std::string_view address);

// Of a URL that the internet has named: Error{not_found} when its host says that it is in the
// networks around this machine, unless one of the user's own mirrors is there.
void check_reach(const Url& url, const Options& options);
// Whether the addresses that its host's name resolves to have to be judged, too.
bool is_judged_by_address(const Url& url, const Options& options);
// What check_reach() throws, for an address that was found later.
Error out_of_reach(const Url& url);

}  // namespace podctl::http
